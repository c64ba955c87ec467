"""Turns a message into the words that every channel shares: headline, status, cells, times, link. Pure; no markup."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumers.delivery.channel import Message
from schemas.events import Micros, Notice
from schemas.vocabulary import Audience, CellStatus, IncidentStatus, Kind, MaintenanceStatus

TITLE_LIMIT = 200
"""Characters of a title that are shown; longer ones are cut."""
INTERNAL = "[INTERNAL] "

STATUS_WORDS: dict[str, str] = {
    IncidentStatus.INVESTIGATING: "Investigating",
    IncidentStatus.IDENTIFIED: "Identified",
    IncidentStatus.MONITORING: "Monitoring",
    IncidentStatus.RESOLVED: "Resolved",
    IncidentStatus.POSTMORTEM: "Post-mortem",
    MaintenanceStatus.SCHEDULED: "Maintenance scheduled",
    MaintenanceStatus.IN_PROGRESS: "Maintenance in progress",
    MaintenanceStatus.VERIFYING: "Maintenance being verified",
    MaintenanceStatus.COMPLETED: "Maintenance completed",
}
CELL_WORDS: dict[CellStatus, str] = {
    CellStatus.OPERATIONAL: "operational",
    CellStatus.DEGRADED: "degraded performance",
    CellStatus.PARTIAL_OUTAGE: "partial outage",
    CellStatus.MAJOR_OUTAGE: "major outage",
    CellStatus.MAINTENANCE: "under maintenance",
}
_COLOURS: dict[str, str] = {
    IncidentStatus.RESOLVED: "#1a7f37",
    IncidentStatus.POSTMORTEM: "#57606a",
    IncidentStatus.MONITORING: "#0969da",
    MaintenanceStatus.COMPLETED: "#1a7f37",
    MaintenanceStatus.SCHEDULED: "#0969da",
    MaintenanceStatus.IN_PROGRESS: "#0969da",
    MaintenanceStatus.VERIFYING: "#0969da",
}
_WARNING = "#bc4c00"
_OVERRIDES = "\u202a\u202b\u202d\u202e"


@dataclass(frozen=True)
class CellLine:
    """One affected cell as it is named to people; ``status`` is empty where it is not known by name."""

    name: str
    status: str


@dataclass(frozen=True)
class Words:
    """What a message says, in one line each; ``promise`` is when the next update is due, ``window`` a maintenance's."""

    page: str
    page_url: str
    title: str
    headline: str
    status: str
    colour: str
    cells: list[CellLine]
    promise: str
    window: str
    published: str
    url: str


def words_of(message: Message) -> Words:
    """Return the words of a message; the texts hold no line breaks and no control characters."""
    notice = message.notice
    title = title_of(notice)[:TITLE_LIMIT]
    page = one_line(notice.page_name)[:TITLE_LIMIT]
    zone = zone_of(notice.timezone)
    due = "" if notice.promise_at is None else clock(notice.promise_at, notice.published_at, zone)
    maintenance = notice.kind is Kind.MAINTENANCE
    status = STATUS_WORDS.get(notice.status, one_line(notice.status).replace("_", " ").capitalize())
    return Words(
        page=page,
        page_url=notice.page_url,
        title=title,
        headline=("[DRILL] " if message.drill else "") + _headline(message, page, title, status, due),
        status="Happened, and over" if message.over else status,
        colour=_COLOURS.get(notice.status, _WARNING),
        cells=_cells(notice),
        promise="" if maintenance else due,
        window=f"{instant(notice.started_at, zone)} to {due}" if maintenance and due else "",
        published=instant(notice.published_at, zone),
        url=subject_url(notice),
    )


def title_of(notice: Notice) -> str:
    """Return the title in one line; what is internal says so, that nobody passes it on unawares."""
    secret = INTERNAL if notice.audience is Audience.INTERNAL else ""
    return secret + one_line(notice.title)


def _headline(message: Message, page: str, title: str, status: str, due: str) -> str:
    match message.notice.kind:
        case Kind.CONFIRMATION:
            return f"[{page}] " + ("Please confirm your subscription" if message.confirm_url else "Your subscription")
        case Kind.REMINDER:
            return f"[{page}] Update promised by {due}: {title}" if due else f"[{page}] Update due: {title}"
        case Kind.INCIDENT | Kind.MAINTENANCE | Kind.SUMMARY:
            return f"[{page}] {status}: {title}"


def _cells(notice: Notice) -> list[CellLine]:
    """Name the cells with their statuses; a maintenance's are only named, since its status says what they are in."""
    named = notice.kind is Kind.MAINTENANCE
    return [
        CellLine(one_line(name), "" if named else CELL_WORDS[effect.status])
        for name, effect in zip(notice.components, notice.affects, strict=False)
    ]


def subject_url(notice: Notice) -> str:
    """Return the address of what the notice is about: the incident or maintenance on its page, or the page.

    What is internal is not on the page.
    """
    page = notice.page_url.rstrip("/")
    if notice.audience is Audience.INTERNAL:
        return page
    match notice.kind:
        case Kind.INCIDENT | Kind.REMINDER:
            return f"{page}/incidents/{notice.subject_id}"
        case Kind.MAINTENANCE:
            return f"{page}/maintenances/{notice.subject_id}"
        case Kind.CONFIRMATION | Kind.SUMMARY:
            return page


def one_line(text: str) -> str:
    """Return ``text`` without line breaks, control characters, lone surrogates and text-direction overrides."""
    plain = text if text.isprintable() else "".join(c if _harmless(c) else " " for c in text)
    return " ".join(plain.split())


def _harmless(character: str) -> bool:
    # Cc: control; Cs: half a character; Zl, Zp: line ends in disguise; overrides let a title show as another one. None of
    # them is printable to Python.
    return unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} and character not in _OVERRIDES


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this IANA name; an unknown one is UTC, since a notice must go out all the same."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(at: Micros) -> datetime:
    """Return the aware datetime (UTC) of microseconds since 1970; beyond what datetime holds, its nearest end."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    except OverflowError:
        return datetime(9999, 12, 31, tzinfo=UTC) if at > 0 else datetime(1, 1, 1, tzinfo=UTC)


def clock(at: Micros, seen: Micros, zone: ZoneInfo) -> str:
    """Return ``14:30 UTC``, with the date before it where it is another day than that of ``seen``."""
    then, reference = (_local(each, zone) for each in (at, seen))
    return then.strftime("%H:%M %Z" if then.date() == reference.date() else "%Y-%m-%d %H:%M %Z")


def instant(at: Micros, zone: ZoneInfo) -> str:
    """Return ``2026-11-22 14:30 UTC``."""
    return _local(at, zone).strftime("%Y-%m-%d %H:%M %Z")


def _local(at: Micros, zone: ZoneInfo) -> datetime:
    try:
        return moment(at).astimezone(zone)
    except OverflowError:
        return moment(at)

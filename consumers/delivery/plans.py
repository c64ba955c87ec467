"""Who is told of a notice, and what a sign-up brings about: the deciding code of both engines' planners. It stores nothing."""

from collections.abc import Iterable
from typing import NamedTuple

from consumers.delivery import audience
from consumers.delivery.audience import Match, Question
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import ACTIVE, PAUSED, PENDING, Subscriber
from schemas import events as e
from schemas.events import AnyEvent, EventData, Micros, Notice
from schemas.ids import derive
from schemas.topics import by_shard
from schemas.vocabulary import Impact, IncidentStatus, Kind, MaintenanceStatus
from streams.domain.processor import Output

CHUNK = 1_000
ASKED, KNOWN = "pending", "subscribed"
"""Statuses of a notice about a subscription: its owner is asked to confirm it, or sent the link to manage it."""
EACH: Micros = 10_000
"""By how much each recipient of a notice puts off those behind it: whoever has a million lets others go first."""
_HEAD_START: Micros = 20_000_000
"""How far ahead of others' turn an urgent notice begins: by as much as 2,000 recipients."""


class Planned(NamedTuple):
    """A notice's plans, and the ids of those who hear of its subject for the first time."""

    plans: list[e.NotificationsPlanned]
    newly: list[str]


class Verdict(NamedTuple):
    """Whether one subscriber is told of a notice, and why or why not; ``matches`` are the cells that their filter reaches."""

    told: bool
    reason: str
    matches: tuple[Match, ...] = ()


def is_planned(notice: Notice) -> bool:
    """Return whether an audience is to be found; a confirmation was planned when it was published."""
    return notice.kind is not Kind.CONFIRMATION


def plan(book: SubscriberBook, page: str, notice: Notice, told: Iterable[str]) -> Planned:
    """Find the audience of ``notice``; ``told`` are the ids of those who heard of its subject before.

    Once told, told to the end: whoever heard of the outbreak hears of the all-clear, whatever it reaches. Only who is not
    internal any more hears no more of what is.
    """
    index = book.index
    matched = index.numbers(page, asked_of(book, page, notice))
    again = index.wanting(page, told, notice.kind, notice.audience)
    # Operators who are reminded are not told of the incident by that.
    newly = index.ids(page, matched - again) if notice.kind is not Kind.REMINDER else []
    # That it is nobody is on the record too: without a plan a notice would be taken for one that is yet to be planned.
    nobody = e.NotificationsPlanned(notice.update, notice.subject_id, notice.kind, "", 0, 0, [])
    return Planned(chunks(notice, index.by_channel(page, matched | again)) or [nobody], newly)


def asked_of(book: SubscriberBook, page: str, notice: Notice) -> Question:
    """Return what ``notice`` asks of each filter, by the page's tree as the book has it."""
    return audience.question(notice, lambda component: book.lineage(page, component))


def verdict(known: Subscriber | None, asked: Question, *, told_before: bool = False) -> Verdict:
    """Say of one subscriber whether ``plan`` names them, and why; ``told_before`` says that they heard of the subject.

    A property test holds it to ``plan``, which answers for all of them at once.
    """
    if known is None:
        return Verdict(False, "had not signed up yet")
    if known.state != ACTIVE:
        why = "not confirmed yet" if known.state == PENDING else known.reason
        return Verdict(False, f"the subscriber is {known.state}" + (f": {why}" if why else ""))
    decision = audience.decide(known.filter, asked, known.audience)
    if told_before and decision.may_be_told and not decision.told:
        return Verdict(
            True, f"was told of it before, so is told to the end; else not: {decision.reason}", decision.matches
        )
    return Verdict(decision.told, decision.reason, decision.matches)


def chunks(notice: Notice, recipients: Iterable[tuple[str, list[str]]]) -> list[e.NotificationsPlanned]:
    """Return plans by shard and channel for sorted ids by channel: in an order that is nearly that of the ids."""
    groups = {(shard, channel): members for channel, ids in recipients for shard, members in by_shard(ids).items()}
    plans: list[e.NotificationsPlanned] = []
    turn = head_start(notice)
    for (shard, channel), members in sorted(groups.items()):
        for start in range(0, len(members), CHUNK):
            some = members[start : start + CHUNK]
            plans.append(
                e.NotificationsPlanned(
                    notice.update, notice.subject_id, notice.kind, channel, len(plans), shard, some, turn
                )
            )
            turn += EACH * len(some)
    return plans


def head_start(notice: Notice) -> Micros:
    """Return where a notice's turn begins, beside when it was planned: what is over or critical, and what one waits for, first."""
    over = notice.status in (IncidentStatus.RESOLVED, MaintenanceStatus.COMPLETED)
    awaited = notice.kind in (Kind.CONFIRMATION, Kind.REMINDER)
    return -_HEAD_START if over or awaited or notice.impact is Impact.CRITICAL else 0


def emit(out: Output, planned: Planned) -> None:
    """Emit the plans; which ids they have depends on whom they name, as an audience found again may be another."""
    for each in planned.plans:
        content = derive("recipients", each.channel, str(each.shard), *each.recipients)
        out.emit(each, out.cause.occurred_at, content=content)


def confirmation(book: SubscriberBook, event: AnyEvent, added: e.SubscriberAdded) -> list[EventData]:
    """Return what asks a new subscriber to confirm: the notice and its plan. Nothing on a page that is not defined."""
    known = book.subscriber(event.page, added.subscriber)
    if added.confirmed or known is None or known.state not in (ACTIVE, PENDING):
        return []
    return _personal(book, event, added.subscriber, added.channel, ASKED)


def link_mail(book: SubscriberBook, event: AnyEvent, requested: e.ConfirmationRequested) -> list[EventData]:
    """Return what sends a subscriber the link to their own subscription; nothing to who is none, or cannot be reached."""
    known = book.subscriber(event.page, requested.subscriber)
    if known is None or known.state not in (ACTIVE, PAUSED):
        return []
    return _personal(book, event, known.id, known.channel, KNOWN)


def _personal(book: SubscriberBook, event: AnyEvent, subscriber: str, channel: str, status: str) -> list[EventData]:
    """Return a notice about a subscription for its subscriber alone, and its plan; nothing on a page that is not defined."""
    settings = book.settings(event.page)
    if settings is None:
        return []
    notice = Notice(
        kind=Kind.CONFIRMATION,
        update=derive("confirmation", event.id),
        subject_id=subscriber,
        title=settings.name,
        body="",
        status=status,
        impact=Impact.NONE,
        impact_chosen=False,
        changes=[],
        affects=[],
        components=[],
        page_name=settings.name,
        page_url=settings.url,
        timezone=settings.timezone,
        promise_at=None,
        started_at=event.recorded_at,
        published_at=event.recorded_at,
    )
    return [e.NoticePublished(notice), *chunks(notice, [(channel, [subscriber])])]

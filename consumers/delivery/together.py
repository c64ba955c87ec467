"""Notifications that go out with one request, and those of one endpoint as one message: which may, and how each ends. Pure."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from consumers.delivery.channel import Capabilities
from consumers.delivery.queue import Entry
from consumers.delivery.verdicts import Conclusion
from schemas.vocabulary import NotificationState


def was_put_off(entry: Entry) -> bool:
    """Return whether an entry was put off before, and waits."""
    return entry.held_until > 0 and entry.state == NotificationState.PLANNED


def by_endpoint(entries: Sequence[Entry]) -> tuple[list[list[Entry]], list[Entry]]:
    """Return those that go out together, by endpoint, and the rest; what was not put off may come along."""
    if not any(entry.held_until and was_put_off(entry) for entry in entries):
        return [], list(entries)
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.state == NotificationState.PLANNED:
            groups.setdefault((entry.page, entry.subscriber), []).append(entry)
    several = [group for group in groups.values() if len(group) > 1 and any(map(was_put_off, group))]
    gathered = {entry.notification for group in several for entry in group}
    return several, [entry for entry in entries if entry.notification not in gathered]


def batches(entries: Sequence[Entry], can: Capabilities) -> list[Sequence[Entry]]:
    """Return what is sent with one request each: of one update, for a request says one thing; or for one endpoint."""
    most = can.batch
    if can.combines:
        several, entries = by_endpoint(entries)
        if several:
            return [*several, *batches(entries, can)]
    if most == 1:
        return [[entry] for entry in entries]
    by_update: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        by_update.setdefault((entry.page, entry.update), []).append(entry)
    return [some[start : start + most] for some in by_update.values() for start in range(0, len(some), most)]


def as_one(entries: Sequence[Entry], ended: Conclusion) -> Iterator[tuple[Entry, Conclusion]]:
    """Yield how each ended whose message ended so. The first has the receipt; the others say with whom they went.

    What is in doubt is not asked again: under its id there would be another message.
    """
    if len(entries) > 1 and ended.state is NotificationState.IN_DOUBT:
        ended = replace(ended, retry_at=None)
    first, *others = entries
    with_others = f"in one message with {len(others)} {'other' if len(others) == 1 else 'others'}"
    is_sent = ended.state is NotificationState.SENT
    yield first, replace(ended, reason=ended.reason or with_others) if is_sent and others else ended
    for other in others:
        reason = f"{with_others}, sent as {first.notification}" if is_sent else ended.reason
        yield other, replace(ended, reason=reason, events=())

"""From claims and conclusions to the events that tell of them, by page and shard as the log keeps their order. Pure but for ids."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from consumers.delivery.queue import Entry
from consumers.delivery.verdicts import Conclusion
from schemas.events import AnyEvent, DeliveriesRecorded, DeliveryResult, Event, EventData, Micros, NotificationsClaimed
from schemas.ids import random_id

T = TypeVar("T")
Concluded: TypeAlias = tuple[Entry, Conclusion]


_Place: TypeAlias = tuple[str, int, str]
"""Page, shard, worker: what one event is about."""
_MOST = 1_000
"""Notifications of one event."""


class Turn(NamedTuple):
    """What a worker records with one append: how attempts ended, what it claims, and what waits in vain."""

    worker: str
    ended: Sequence[Concluded]
    chosen: Sequence[Entry]
    unsendable: Sequence[Concluded]


def turn(of: Turn, now: Micros) -> list[AnyEvent]:
    """Return all that a turn records."""
    return [
        *records(of.ended, of.worker, now),
        *claims(of.worker, of.chosen, now),
        *results(of.unsendable, of.worker, now),
    ]


def claims(worker: str, entries: Sequence[Entry], now: Micros) -> list[AnyEvent]:
    """Return the claims of ``entries`` by ``worker``."""
    found: dict[_Place, list[str]] = defaultdict(list)
    for entry in entries:
        found[entry.page, entry.shard, worker].append(entry.notification)
    return [
        _event(place, NotificationsClaimed(place[2], place[1], some), now)
        for place, all_of_them in found.items()
        for some in _parts(all_of_them)
    ]


def records(concluded: Sequence[Concluded], worker: str, now: Micros) -> list[AnyEvent]:
    """Return the results of attempts, and what follows from them for others."""
    return [*results(concluded, worker, now), *(event for _, ended in concluded for event in ended.events)]


def results(concluded: Iterable[Concluded], worker: str, now: Micros) -> list[AnyEvent]:
    """Return the results alone, each in the name of who claimed it last: who is gone is spoken for by ``worker``."""
    found: dict[_Place, list[DeliveryResult]] = defaultdict(list)
    for entry, ended in concluded:
        result = DeliveryResult(entry.notification, ended.state, ended.reason, ended.retry_at, ended.attempted)
        found[entry.page, entry.shard, entry.worker or worker].append(result)
    return [
        _event(place, DeliveriesRecorded(place[2], place[1], some), now)
        for place, all_of_them in found.items()
        for some in _parts(all_of_them)
    ]


def _event(place: _Place, data: EventData, now: Micros) -> AnyEvent:
    return Event(random_id(), place[0], now, now, "tocsin", None, None, False, data)


def _parts(whole: list[T]) -> Iterator[list[T]]:
    return (whole[start : start + _MOST] for start in range(0, len(whole), _MOST))

"""From claims and conclusions to the events that tell of them, by page and shard as the log keeps their order. Pure but for ids."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeAlias

from consumers.delivery.queue import Entry
from consumers.delivery.verdicts import Conclusion
from schemas.events import AnyEvent, DeliveriesRecorded, DeliveryResult, Event, EventData, Micros, NotificationsClaimed
from schemas.ids import random_id

Concluded: TypeAlias = tuple[Entry, Conclusion]


def claims(worker: str, entries: Sequence[Entry], now: Micros) -> list[AnyEvent]:
    """Return the claims of ``entries`` by ``worker``."""
    return _events(
        entries,
        lambda _: (),
        lambda group: NotificationsClaimed(worker, group[0].shard, [entry.notification for entry in group]),
        now,
    )


def records(concluded: Sequence[Concluded], worker: str, now: Micros) -> list[AnyEvent]:
    """Return the results of attempts, and what follows from them for others."""
    return [*results(concluded, worker, now), *(event for _, ended in concluded for event in ended.events)]


def results(concluded: Iterable[Concluded], worker: str, now: Micros) -> list[AnyEvent]:
    """Return the results alone, each in the name of who claimed it last: who is gone is spoken for by ``worker``."""
    found = {
        entry.notification: DeliveryResult(
            entry.notification, ended.state, ended.reason, ended.retry_at, ended.attempted
        )
        for entry, ended in concluded
    }
    return _events(
        [entry for entry, _ in concluded],
        lambda entry: entry.worker,
        lambda group: DeliveriesRecorded(
            group[0].worker or worker, group[0].shard, [found[entry.notification] for entry in group]
        ),
        now,
    )


def _events(
    entries: Iterable[Entry], apart: Callable[[Entry], Hashable], data: Callable[[list[Entry]], EventData], now: Micros
) -> list[AnyEvent]:
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.page, entry.shard, apart(entry)].append(entry)
    return [
        Event(random_id(), group[0].page, now, now, "tocsin", None, None, False, data(group))
        for group in groups.values()
    ]

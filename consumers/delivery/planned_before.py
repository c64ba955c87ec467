"""Whom notices were planned for, read off the log: for a planner whose own memory of it was lost. It plans nothing.

What it keeps is where the plans of each notice lie; whom they name is read when it is asked for, for a million names in
each of many plans are more than a process holds.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import NamedTuple

from schemas.events import Notice, NotificationsPlanned
from schemas.topics import NOTIFICATIONS
from streams.log.origin import Origin, parse
from streams.log.port import EventLog, Stored, event_of

_READ = 500
_NEAR = 50
"""Offsets that lie apart by no more than this are read together."""


class Planned(NamedTuple):
    """Whom a notice was planned for; ``is_complete`` says that all of its plans are there."""

    recipients: Sequence[str]
    is_complete: bool


NEVER = Planned((), False)


class Oblivion:
    """Implements ``fleet_planner.Recollection`` for whoever folds nothing."""

    def of(self, page: str, notice: Notice) -> Planned:
        """Return that nothing is known."""
        return NEVER


class _Where(NamedTuple):
    partition: int
    offset: int


class _Emission:
    """The plans that one run of a planner made of a notice; ``count`` of them, 0 where that is not known."""

    def __init__(self) -> None:
        self.places: list[_Where] = []
        self.ranks: set[int] = set()
        self.count = 0

    @property
    def is_complete(self) -> bool:
        return len(self.ranks) >= self.count


_Key = tuple[str, str, str]


class PlansOnLog:
    """Implements ``fleet_planner.Recollection``. Thread-safe; one for a process.

    It reads the whole topic when it is first asked, and what was appended since where it does not know an answer.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._positions: dict[int, int] = dict.fromkeys(range(log.partitions(NOTIFICATIONS.name)), 0)
        self._known: dict[_Key, dict[Origin | None, _Emission]] = {}
        self._reading = Lock()

    def of(self, page: str, notice: Notice) -> Planned:
        """Return whom the log says that a notice was planned for; raises LogError."""
        key = (page, notice.subject_id, notice.update)
        with self._reading:
            if not self._is_complete(key):
                self._read_on()
            emissions = list(self._known.get(key, {}).values())
            complete = self._is_complete(key)
        places = sorted(place for emission in emissions for place in emission.places)
        found = (one for plan in self._plans(places) if _key(*plan) == key for one in plan[1].recipients)
        return Planned(list(dict.fromkeys(found)), complete)

    def _is_complete(self, key: _Key) -> bool:
        return any(emission.is_complete for emission in self._known.get(key, {}).values())

    def _read_on(self) -> None:
        for partition, position in self._positions.items():
            start = position
            while found := self._log.read(NOTIFICATIONS.name, partition, start, _READ):
                for stored in found:
                    self._note(stored)
                start = self._positions[partition] = found[-1].offset + 1

    def _note(self, stored: Stored) -> None:
        event = event_of(stored.record) if stored.record.type == NotificationsPlanned.__name__ else None
        if event is None or not isinstance(event.data, NotificationsPlanned):
            return
        origin = parse(stored.record.origin)
        # Imported plans are of a log that was complete.
        run = None if origin is None or origin.imported else origin._replace(rank=0)
        by_run = self._known.setdefault(_key(event.page, event.data), {})
        emission = by_run.setdefault(run, _Emission())
        emission.places.append(_Where(stored.partition, stored.offset))
        if origin is not None and origin.of:
            emission.ranks.add(origin.rank)
            emission.count = max(emission.count, origin.of)

    def _plans(self, places: Sequence[_Where]) -> Iterator[tuple[str, NotificationsPlanned]]:
        """Read plans, and whatever lies between those that lie near each other."""
        by_partition: dict[int, list[int]] = defaultdict(list)
        for partition, offset in places:
            by_partition[partition].append(offset)
        for partition, offsets in by_partition.items():
            for start, end in _ranges(offsets):
                for stored in self._log.read(NOTIFICATIONS.name, partition, start, end - start):
                    if stored.offset < end and stored.record.type == NotificationsPlanned.__name__:
                        event = event_of(stored.record)
                        assert isinstance(event.data, NotificationsPlanned), "its type says so"
                        yield event.page, event.data


def _key(page: str, plan: NotificationsPlanned) -> _Key:
    return page, plan.subject_id, plan.update


def _ranges(offsets: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last) of sorted offsets that lie near each other."""
    start = end = -1
    for offset in offsets:
        if start >= 0 and offset - end > _NEAR:
            yield start, end
            start = offset
        start = offset if start < 0 else start
        end = offset + 1
    if start >= 0:
        yield start, end

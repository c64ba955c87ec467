"""Runs one history through both engines, round by round, and stops at the first difference with what led to it."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from schemas.events import Micros
from schemas.ids import random_id
from schemas.topics import DELIVERIES, NOTIFICATIONS
from streams.keys.master import MASTER_VARIABLE
from streams.log.port import Record, Stored, event_of
from tests.builders.views import NOW
from tests.parity import faces, pictures, world
from tests.parity.clock import FileClock
from tests.parity.embedded import EmbeddedEngine
from tests.parity.fleet import FleetEngine
from tests.parity.history import History
from tests.parity.pictures import Picture
from tests.parity.telling import Round

WORKERS = 3
_SHOWN = 60
_UNORDERED = NOTIFICATIONS.name
"""Plans of several subjects under one key come of notices under several: their order is nobody's."""

_OF_DELIVERY = ("notice", "notification", "told", "queue", "overtaken", "claimed", "due")
_DELIVERY = (NOTIFICATIONS.name, DELIVERIES.name)


class DifferenceError(AssertionError):
    """The engines disagree: names the first difference, and tells what led to it."""


class Logs:
    """Both logs, compared key by key as they grow: the same events in the same order, byte for byte."""

    def __init__(self) -> None:
        self.doubled: set[str] = set()
        """Ids that lie more than once on Kafka, where the embedded log took them once."""
        self.records = 0
        self.emitted_twice = 0
        self._ids: set[str] = set()
        self._by_key: dict[tuple[str, str], list[Record]] = defaultdict(list)

    def compare(self, told: Round, embedded: Sequence[Stored], fleet: Sequence[Stored]) -> None:
        """Compare what is new since a round was told; raises DifferenceError."""
        mine, theirs = _by_key(embedded), _by_key(self._first(fleet))
        for place in sorted(mine.keys() | theirs.keys()):
            self._by_key[place] += mine[place]
            self.records += len(mine[place])
            left, right = _said(place[0], mine[place]), _said(place[0], theirs[place])
            if left != right:
                rank = next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), -1)
                raise DifferenceError(
                    f"the logs differ under {place} from record {rank} of this round on\n"
                    f"--- embedded\n{_shown(mine[place])}\n--- fleet\n{_shown(theirs[place])}\n"
                    f"--- told in this round\n{_shown(_told(told, place[1]))}\n"
                    f"--- before\n{self.history([place[1].split('/')[0]], delivered=place[0] in _DELIVERY)}"
                )

    def history(self, pages: Sequence[str], *, delivered: bool) -> str:
        """Return what was said last of these pages, or what was planned and delivered there."""
        found = [
            record
            for (topic, key), records in self._by_key.items()
            if key.split("/")[0] in pages and (topic in _DELIVERY) == delivered
            for record in records
        ]
        return _shown(sorted(found, key=lambda record: record.recorded_at))

    def _first(self, stored: Sequence[Stored]) -> Iterator[Stored]:
        for each in stored:
            if each.record.id in self._ids:
                self.doubled.add(each.record.id)
                self.emitted_twice += each.record.origin != ""
            else:
                self._ids.add(each.record.id)
                yield each


def _by_key(stored: Sequence[Stored] | Iterator[Stored]) -> dict[tuple[str, str], list[Record]]:
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for each in stored:
        found[each.record.topic, each.record.key].append(each.record)
    return found


def _said(topic: str, records: Sequence[Record]) -> list[tuple[str, str, int, bytes, bytes]]:
    said = [(one.id, one.type, one.recorded_at, one.fingerprint, one.body) for one in records]
    return sorted(said) if topic == _UNORDERED else said


def _told(told: Round, key: str) -> list[Record]:
    page = key.partition("/")[0]
    return [said.record for said in told.said if said.event.page == page]


def _shown(records: Sequence[Record]) -> str:
    lines = []
    for record in records[-_SHOWN:]:
        event = event_of(record)
        lines.append(f"  {record.recorded_at} {record.key} {event.id[:8]} by {event.actor}: {event.data}")
    return "\n".join(lines) or "  nothing"


class Parity:
    """Both engines, a history, and what was found. Use it as a context manager.

    ``deaths`` are after how many appends the workers that are started first die (0: never), see ``worker``.
    """

    def __init__(
        self,
        seed: int,
        pages: int,
        deaths: Sequence[int],
        servers: str,
        redis: str,
        folder: Path,
        report: Callable[[str], None],
    ) -> None:
        self._report = report
        self._pages = [world.page_id(number) for number in range(pages)]
        environment = {MASTER_VARIABLE: random_id() + random_id()}
        clock_file = folder / "clock"
        self._clock = FileClock.new(clock_file, NOW)
        self._embedded = EmbeddedEngine(folder / "embedded", self._clock, environment)
        self._fleet = FleetEngine(folder / "fleet", clock_file, self._clock, servers, redis, environment, deaths)
        self.logs = Logs()
        self.history = History(seed, pages, self._embedded)
        self.compared: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._fleet.start(WORKERS)
        return self

    def __exit__(self, *_: object) -> None:
        self._fleet.close()
        self._embedded.close()

    def play(self, rounds: int, checks: int) -> None:
        """Play so many rounds; compare everything ``checks`` times on the way, and at the end. Raises DifferenceError.

        Workers die as they are told to, and one is replaced in good order.
        """
        self._one(self.history.beginning())
        self._one(self.history.first_subscribers())
        self.check()
        moments = {(rank + 1) * rounds // (checks + 1) for rank in range(checks + 1)}
        for number in range(rounds):
            told = self.history.next_round()  # before the clock moves: what timers change is not known yet
            self._clock.set(told.now)
            if number == 2 * rounds // 3:
                self._fleet.workers.replace_newest()
            self._one(told)
            if number + 1 in moments:
                self.check()
                self._report(f"round {number + 1} of {rounds}: {self.logs.records} records, all the same")

    def _one(self, told: Round) -> None:
        with self._timed("embedded"):
            self._embedded.take(told.said)
            self._embedded.settle()
        with self._timed("fleet"):
            self._fleet.take(told.said)
            self._fleet.settle()
        self.logs.compare(told, self._embedded.news(), self._fleet.news())

    def _timed(self, name: str) -> "_Timed":
        return _Timed(self.seconds, name)

    def check(self) -> None:
        """Compare the two states and all that is read of them; raises DifferenceError."""
        with self._timed("fleet"):
            self._fleet.settle_to_the_ends()
        with self._timed("comparing"):
            for mine, theirs in self._pictures():
                self._compare(mine, theirs)

    def _pictures(self) -> Iterator[tuple[Picture, Picture]]:
        embedded, fleet = self._embedded, self._fleet
        yield pictures.of_embedded(embedded), pictures.of_fleet(fleet)
        now: Micros = self._clock()
        queues = embedded.backend.queue, pictures.queue_of(fleet)
        yield pictures.of_queue(queues[0], now, self._pages), pictures.of_queue(queues[1], now, self._pages)
        books = embedded.backend.subscribers.book, fleet.book
        yield pictures.of_audiences(books[0], self._pages), pictures.of_audiences(books[1], self._pages)
        sides = faces.of_embedded(embedded), faces.of_fleet(fleet)
        yield sides[0].picture(self._pages), sides[1].picture(self._pages)
        for side in sides:
            side.close()

    def _compare(self, mine: Picture, theirs: Picture) -> None:
        for name in sorted(mine.keys() | theirs.keys()):
            self.compared[name.partition(" ")[0]] += 1
            left, right = mine.get(name), theirs.get(name)
            if left != right:
                pages = [page for page in self._pages if page in name]
                raise DifferenceError(
                    f"{name} differs\n  embedded: {_text(left)}\n  fleet:    {_text(right)}\n"
                    f"--- what led to it\n{self.logs.history(pages, delivered=name.startswith(_OF_DELIVERY))}"
                )

    @property
    def died(self) -> int:
        """How many workers died as they were told to."""
        return self._fleet.workers.died

    def summary(self) -> str:
        """Return what was told, what lies on the logs, and how much was compared."""
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(self.history.counts.items()) if count)
        compared = ", ".join(f"{count} {kind}s" for kind, count in sorted(self.compared.items()))
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())
        return (
            f"told: {told}\nlogs: {self.logs.records} records alike, {len(self.logs.doubled)} ids twice on Kafka\n"
            f"workers: {self.died} died between an emission and its commit, {self.logs.emitted_twice} emissions came twice\n"
            f"compared alike: {compared}\nspent: {spent}"
        )


def _text(value: bytes | None) -> str:
    return "nothing" if value is None else value.decode("utf-8", "replace")[:3000]


class _Timed:
    def __init__(self, seconds: Counter[str], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] += time.monotonic() - self._start  # type: ignore[assignment]

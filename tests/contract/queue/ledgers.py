"""The ledgers that the contract suite of the queue runs over, each with the queue that reads it; adding one is one line."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.ledger_processor import LEDGER
from consumers.delivery.queue import DeliveryQueue
from consumers.delivery.stored_queue import StoredQueue
from schemas.events import AnyEvent
from schemas.topics import NOTIFICATIONS
from streams.log.memory import MemoryEventLog
from streams.log.port import record_of
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.replay import new_file
from streams.runtime.state_store import Part, Row, StateStore
from tests.builders.fold_world import message
from tests.contract.store.stores import shared_redis


class Ledger(Protocol):
    """A ledger that folds at once whatever it is told."""

    queue: DeliveryQueue
    reads: int
    """Rows that the queue has read so far."""

    def fold(self, events: Sequence[AnyEvent]) -> None:
        """Fold events, which are in the order of the log."""

    def close(self) -> None:
        """Release what it holds."""


class StoredLedger:
    """The embedded engine's."""

    def __init__(self) -> None:
        self.reads = 0
        self._connection: sqlite3.Connection = new_file()
        self._stage = LedgerStage()
        self._stage.load(self._connection)
        self.queue: DeliveryQueue = StoredQueue(self)

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read rows; what the database looked at counts, not what it gave."""
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        self._connection.set_progress_handler(step, 100)
        found = self._connection.execute(statement, values).fetchall()
        self._connection.set_progress_handler(None, 0)
        self.reads += steps
        return found

    def fold(self, events: Sequence[AnyEvent]) -> None:
        self._stage.run(self._connection, events)

    def close(self) -> None:
        self._connection.close()


class FleetLedger:
    """The distributed engine's, over any store."""

    def __init__(self, store: StateStore) -> None:
        self._log = MemoryEventLog()
        self._store = store
        self._fold = PartitionFold(LEDGER, self._log, store)
        self._fold.assigned(range(NOTIFICATIONS.partitions))
        self._positions: dict[tuple[str, int], int] = defaultdict(int)
        self.queue: DeliveryQueue = FleetQueue(self, NOTIFICATIONS.partitions)
        self.reads = 0

    def fetch(self, processor: str, partition: int, wanted: Sequence[Row]) -> dict[Row, bytes]:
        """Read rows, and count them."""
        found = self._store.fetch(processor, partition, wanted)
        self.reads += len(found)
        return found

    def read(self, processor: str, wanted: Mapping[int, Sequence[Row]]) -> dict[int, Part]:
        """Read rows of several partitions, and count them."""
        found = self._store.read(processor, wanted)
        self.reads += sum(len(part.rows) for part in found.values())
        return found

    def ranked(
        self, processor: str, partition: int, ranking: str, upto: int | None, limit: int
    ) -> list[tuple[str, int]]:
        """Read a ranking."""
        return self._store.ranked(processor, partition, ranking, upto, limit)

    def ranked_of(
        self, processor: str, partitions: Sequence[int], ranking: str, upto: int | None, limit: int
    ) -> dict[int, list[tuple[str, int]]]:
        """Read the rankings of several partitions."""
        return self._store.ranked_of(processor, partitions, ranking, upto, limit)

    def fold(self, events: Sequence[AnyEvent]) -> None:
        for appended, event in zip(self._log.append([record_of(each) for each in events]), events, strict=True):
            topic = record_of(event).topic
            place = topic, appended.partition
            messages = [message(one) for one in self._log.read(*place, self._positions[place], len(events))]
            self._positions[place] += len(messages)
            self._fold.fold(place, messages)

    def close(self) -> None:
        self._store.close()


@dataclass(frozen=True)
class Kind:
    """``open`` opens the ledger of one test, given a name that no other test has."""

    name: str
    open: Callable[[str], Ledger]
    marks: tuple[pytest.MarkDecorator, ...] = ()


def _redis(name: str) -> Ledger:
    server = shared_redis()
    from streams.runtime.redis_store import RedisStateStore

    return FleetLedger(RedisStateStore(server.url, f"{name}."))


LEDGERS = (
    Kind("sqlite", lambda _: StoredLedger()),
    Kind("memory", lambda _: FleetLedger(MemoryStateStore())),
    Kind("redis", _redis, (pytest.mark.redis,)),
)

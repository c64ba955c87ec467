"""State by processor and partition in memory: the reference that says in the fewest lines what the other stores must do."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeAlias, TypeVar

from schemas.events import Micros
from streams.log.port import TopicPartition
from streams.runtime.state_store import Changes, Commit, Held, Listener, Part, Rank, Row, StoreUnavailableError, Wish

_K = TypeVar("_K")
_V = TypeVar("_V")
_Changed: TypeAlias = tuple[str, int, frozenset[str]]


class _Part:
    """What one (processor, partition) has."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.rows: dict[Row, bytes] = {}
        self.ranks: dict[Rank, int] = {}
        self.wishes: dict[Wish, Micros] = {}
        self.origins: dict[str, bytes] = {}

    def held(self) -> Held:
        return Held(dict(self.positions), dict(self.wishes), dict(self.origins))

    def rows_of(self, tables: Sequence[str]) -> list[tuple[Row, bytes]]:
        return [(row, value) for row, value in self.rows.items() if row[0] in tables]


class MemoryStateStore:
    """A ``StateStore`` that lives and dies with the process; several workers of one process may share it."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, int], _Part] = defaultdict(_Part)
        self._lock = Lock()
        self._closed = False
        self._listeners: list[Listener] = []
        self._changed: SimpleQueue[_Changed | None] = SimpleQueue()
        self._thread: Thread | None = None

    def held(self, processor: str, partition: int) -> Held:
        with self._lock:
            return self._part(processor, partition).held()

    def positions(self, processor: str, partition: int) -> dict[str, int]:
        with self._lock:
            return dict(self._part(processor, partition).positions)

    def positions_of(self, processor: str, partitions: Sequence[int]) -> dict[int, Mapping[str, int]]:
        return {partition: self.positions(processor, partition) for partition in partitions}

    def rows(self, processor: str, partition: int, tables: Sequence[str]) -> Iterable[tuple[Row, bytes]]:
        with self._lock:
            return self._part(processor, partition).rows_of(tables)

    def page(self, processor: str, partition: int, table: str, page: str) -> dict[str, bytes]:
        with self._lock:
            rows = self._part(processor, partition).rows
            return {row[2]: value for row, value in rows.items() if row[:2] == (table, page)}

    def fetch(self, processor: str, partition: int, wanted: Sequence[Row]) -> dict[Row, bytes]:
        with self._lock:
            rows = self._part(processor, partition).rows
            return {row: rows[row] for row in wanted if row in rows}

    def read(self, processor: str, wanted: Mapping[int, Sequence[Row]]) -> dict[int, Part]:
        return {
            partition: Part(rows=self.fetch(processor, partition, rows), positions=self.positions(processor, partition))
            for partition, rows in wanted.items()
        }

    def snapshot(self, processor: str, partition: int, tables: Sequence[str]) -> tuple[Held, list[tuple[Row, bytes]]]:
        with self._lock:
            part = self._part(processor, partition)
            return part.held(), part.rows_of(tables)

    def ranked(
        self, processor: str, partition: int, ranking: str, upto: int | None, limit: int
    ) -> list[tuple[str, int]]:
        with self._lock:
            ranks = self._part(processor, partition).ranks
            found = [(score, member) for (name, member), score in ranks.items() if name == ranking]
        return [(member, score) for score, member in sorted(found) if upto is None or score <= upto][:limit]

    def ranked_of(
        self, processor: str, partitions: Sequence[int], ranking: str, upto: int | None, limit: int
    ) -> dict[int, list[tuple[str, int]]]:
        return {partition: self.ranked(processor, partition, ranking, upto, limit) for partition in partitions}

    def ranked_count(self, processor: str, partition: int, ranking: str) -> int:
        with self._lock:
            return sum(name == ranking for name, _ in self._part(processor, partition).ranks)

    def commit(self, processor: str, place: TopicPartition, expected: int, new: int, changes: Changes) -> bool:
        topic, partition = place
        with self._lock:
            part = self._part(processor, partition)
            if any(part.positions.get(name, 0) != at for name, at in {**changes.beside, topic: expected}.items()):
                return False
            part.positions[topic] = new
            _change(part.rows, changes.rows)
            _change(part.ranks, changes.ranks)
            _change(part.wishes, changes.wishes)
            part.origins.update(changes.origins)
            if changes.rows and self._listeners:
                self._changed.put((processor, partition, frozenset(page for _, page, _ in changes.rows)))
            return True

    def commit_all(self, processor: str, commits: Sequence[Commit]) -> list[bool]:
        return [self.commit(processor, *commit) for commit in commits]

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._require_open()
            self._listeners.append(listener)
            if self._thread is None:
                self._thread = Thread(target=self._tell, name="memory-store", daemon=True)
                self._thread.start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._changed.put(None)
            thread.join()

    # --- inside ---

    def _part(self, processor: str, partition: int) -> _Part:
        self._require_open()
        return self._parts[processor, partition]

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the store is closed")

    def _tell(self) -> None:
        while (changed := self._changed.get()) is not None:
            for listener in self._listeners:
                listener(*changed)


def _change(kept: dict[_K, _V], changes: Mapping[_K, _V | None]) -> None:
    for key, value in changes.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value

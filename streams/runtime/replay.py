"""The replay: folds the log anew with the very stages that fold it live, into a database of its own.

It reads the log and never writes to it: what the stages emit lies on the log already.
"""

import gc
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Protocol, TypeAlias

import msgspec

from schemas import codec
from schemas.events import AnyEvent, Micros
from streams.log.port import LogCorruptError
from streams.log.sqlite import STRIDE, SqliteEventLog
from streams.runtime.stage import FoldStage, Stage

Progress: TypeAlias = Callable[[int], None]
"""Told after each chunk the offset that was reached."""
Row: TypeAlias = tuple[int, int, str, bytes, bytes]
"""Offset, place, type, fingerprint, body."""
_CHUNK = 60
"""Records at a time: few enough that what was decoded is still in the processor's cache when it is folded."""
_YOUNG_OBJECTS = 100_000
_SELECT = "select seq, place, type, fingerprint, body from log where seq >= ? and recorded_at <= ? order by seq limit ?"
_FOR_EVER: Micros = 2**63 - 1


class Replayed(msgspec.Struct, frozen=True):
    """How far a replay went: ``events`` records of the log, of which ``decoded`` were wanted by some stage."""

    events: int
    decoded: int


def new_file() -> sqlite3.Connection:
    """Return an empty database in memory with the tables of the embedded engine's file."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript((files("streams.log") / "sqlite.sql").read_text("utf-8"))
    return connection


def replay(
    log: SqliteEventLog,
    stages: Sequence[Stage],
    connection: sqlite3.Connection,
    *,
    until: Micros | None = None,
    upto: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """Fold the log into ``connection``, an empty file, and save what the stages then hold.

    Only records with ``recorded_at <= until`` count. ``upto`` bounds stages by name: they fold what lies below that
    offset; a stage that it does not name folds all. Raises LogCorruptError for a record that cannot be decoded and
    StepError for a fold that raises.
    """
    readers = _Readers(log, stages, {} if upto is None else upto)
    for stage in stages:
        stage.load(connection)
        if isinstance(stage, FoldStage):
            stage.begin_anew()
    connection.execute("begin")
    events = decoded = 0
    with patient_collector():
        for chunk in _chunks(log, _FOR_EVER if until is None else until):
            waiting, wanted = readers.sort(chunk)
            for stage, some in zip(stages, waiting, strict=True):
                if some:
                    stage.run(connection, some)
            decoded += wanted
            events += len(chunk)
            if progress is not None:
                progress(chunk[-1][0])
        for stage in stages:
            stage.save(connection)
    connection.execute("commit")
    return Replayed(events, decoded)


class Reader(Protocol):
    """Who reads the log: by a name, these types of these topics."""

    @property
    def name(self) -> str:
        """Its own."""

    @property
    def topics(self) -> Collection[str]:
        """Where it looks."""

    @property
    def types(self) -> Collection[str]:
        """What it wants of it."""


def events_from(log: SqliteEventLog, reader: Reader, start: int, end: int = _FOR_EVER) -> Iterator[AnyEvent]:
    """Yield the events that ``reader`` reads from offset ``start`` on, up to but without ``end``; raises LogCorruptError."""
    readers = _Readers(log, [reader], {reader.name: end})
    for chunk in _chunks(log, _FOR_EVER, start):
        yield from readers.sort(chunk)[0][0]
        if chunk[-1][0] >= end - 1:
            return


class _Readers:
    """The readers, and which of them want what: each record is decoded once however many want it."""

    def __init__(self, log: SqliteEventLog, readers: Sequence[Reader], upto: Mapping[str, int]) -> None:
        self._readers = [(reader, upto.get(reader.name, _FOR_EVER)) for reader in readers]
        self._topics: dict[int, str] = dict(log.query("select number, name from topics"))
        self._wanting: dict[tuple[int, str], list[int]] = {}

    def sort(self, chunk: Sequence[Row]) -> tuple[list[list[AnyEvent]], int]:
        """Return what each reader wants of ``chunk``, and how many records that are."""
        waiting: list[list[AnyEvent]] = [[] for _ in self._readers]
        decoded = 0
        bounded = any(end <= chunk[-1][0] for _, end in self._readers)
        for seq, place, kind, fingerprint, body in chunk:
            number = place // STRIDE
            numbers = self._wanting.get((number, kind))
            if numbers is None:
                numbers = self._wanting[number, kind] = self._who_wants(number, kind)
            if bounded:
                numbers = [index for index in numbers if seq < self._readers[index][1]]
            if not numbers:
                continue
            event = self._decode(seq, place, fingerprint, body)
            decoded += 1
            for index in numbers:
                waiting[index].append(event)
        return waiting, decoded

    def _who_wants(self, number: int, kind: str) -> list[int]:
        topic = self._topics.get(number)
        return [
            index for index, (reader, _) in enumerate(self._readers) if kind in reader.types and topic in reader.topics
        ]

    def _decode(self, seq: int, place: int, fingerprint: bytes, body: bytes) -> AnyEvent:
        try:
            return codec.decode(fingerprint, body)
        except (codec.MalformedRecordError, codec.UnknownSchemaError) as error:
            where = f"{self._topics.get(place // STRIDE, '?')}[{place % STRIDE}]@{seq}"
            raise LogCorruptError(f"{where}: {error}") from error


def _chunks(log: SqliteEventLog, until: Micros, start: int = 0) -> Iterator[list[Any]]:
    while chunk := log.query(_SELECT, (start, until, _CHUNK)):
        yield chunk
        start = chunk[-1][0] + 1


@contextmanager
def patient_collector() -> Iterator[None]:
    """Let the collector look for cycles less often, within a fold of very many events."""
    # A fold makes millions of objects that stay: looking for cycles among them all the time costs a tenth of it.
    usual = gc.get_threshold()
    gc.set_threshold(_YOUNG_OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)

"""Holds one record against itself: what its columns say, and where it lies, against what its event says. No engine."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.codec import MalformedRecordError, UnknownSchemaError, decode
from schemas.events import AnyEvent, Micros, TimerFired
from schemas.topics import partition_of, route
from streams.domain.processor import Processor
from streams.log.port import LogCorruptError


class Columns(NamedTuple):
    """What is kept beside a body."""

    id: str
    type: str
    recorded_at: Micros


class RecordCheck:
    """``processors`` say where their timers belong."""

    def __init__(self, processors: Iterable[Processor]) -> None:
        self._processors = {processor.name: processor for processor in processors}

    def require(
        self,
        where: str,
        columns: Columns,
        schema: tuple[bytes, bytes],
        place: tuple[str, str],
        partition: tuple[int, int],
    ) -> None:
        """Raise LogCorruptError, saying what differs at ``where``.

        ``schema`` is fingerprint and body, ``place`` topic and key, ``partition`` the record's and how many there are.
        """
        try:
            event = decode(*schema)
        except (MalformedRecordError, UnknownSchemaError) as error:
            raise LogCorruptError(f"{where}: {error}") from error
        said = (event.id, event.type, event.recorded_at)
        for name, column, value in zip(Columns._fields, columns, said, strict=True):
            if column != value:
                raise LogCorruptError(f"{where}: the column {name} says {column!r} and the event {value!r}")
        expected = self._route(event)
        if expected is not None and place != expected:
            raise LogCorruptError(
                f"{where}: lies under {place[0]} {place[1]!r} and belongs under {expected[0]} {expected[1]!r}"
            )
        if partition[0] != partition_of(place[1], partition[1]):
            raise LogCorruptError(f"{where}: the key {place[1]!r} belongs into another partition")

    def _route(self, event: AnyEvent) -> tuple[str, str] | None:
        try:
            if not isinstance(event.data, TimerFired):
                return route(event)
            processor = self._processors[event.data.processor]
            return processor.topics[0], processor.timer_key(event.page, event.data.timer)
        except (KeyError, ValueError):
            return None  # another version's processor, or ids of another form: only the partition can be checked

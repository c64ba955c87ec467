"""How the way in hands events to the log without knowing the engine: durable when the call returns."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from schemas.events import AnyEvent
from streams.log.port import Appended, record_of
from streams.log.sqlite import SqliteEventLog


class Publisher(Protocol):
    """The async face of ``EventLog.append`` for events."""

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        """Append ``events``, all or none, and return when they are durable; raises LogUnavailableError."""


class EmbeddedPublisher:
    """Publishes to the embedded log; the folds see the events without decoding them again."""

    def __init__(self, log: SqliteEventLog) -> None:
        self._log = log

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        records = [record_of(event) for event in events]
        future = self._log.submit(lambda connection: self._log.append_within(connection, records, events))
        return await asyncio.wrap_future(future)

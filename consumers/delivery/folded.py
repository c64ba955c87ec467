"""Whether the ledger knows of a record already: what a sender waits for between its claim and its first byte."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from consumers.delivery.ledger_processor import LEDGER
from schemas.events import AnyEvent
from schemas.topics import route
from streams.log.port import LogUnavailableError, Positions, TopicPartition
from streams.runtime.publisher import Publisher
from streams.runtime.state_store import StateStore, StoreUnavailableError

_SECONDS = 0.05
UNAVAILABLE = (LogUnavailableError, StoreUnavailableError)
"""What log and ledger raise where they cannot be reached now."""


class Folded(Protocol):
    """Knows how far the ledger is. Blocks for a round trip at the most; raises StoreUnavailableError."""

    def passed(self, topic: str, partition: int, offset: int) -> bool:
        """Return whether what a queue answers from now on knows of the record at ``offset``."""


class SequenceFolded:
    """The embedded engine's: offsets count the whole log, and the ledger's stage has one position in it."""

    def __init__(self, position: Callable[[], int]) -> None:
        self._position = position

    def passed(self, topic: str, partition: int, offset: int) -> bool:
        return self._position() > offset


class StoreFolded:
    """The distributed engine's: a position for each partition of the ledger, in the store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def passed(self, topic: str, partition: int, offset: int) -> bool:
        return self._store.positions(LEDGER.name, partition).get(topic, 0) > offset


class FoldedLog:
    """Appends events for one sender, and waits until the ledger knows them. To be used from one event loop."""

    def __init__(self, publisher: Publisher, folded: Folded) -> None:
        self._publisher = publisher
        self._folded = folded
        self._waiting: set[asyncio.Event] = set()

    def moved(self) -> None:
        """The ledger may have moved on: whoever waits looks."""
        for waiting in self._waiting:
            waiting.set()

    async def publish(self, events: Sequence[AnyEvent]) -> None:
        """Append ``events`` and wait until the ledger has folded them; raises what ``Publisher.publish`` raises.

        Once they are appended it raises no more and waits for as long as it takes: what is claimed must not be forgotten.
        """
        if not events:
            return
        appended = await self._publisher.publish(events)
        last: dict[TopicPartition, int] = {}
        for event, one in zip(events, appended, strict=True):
            topic, _ = route(event)
            if topic in LEDGER.topics:
                last[topic, one.partition] = max(one.offset, last.get((topic, one.partition), -1))
        moved = asyncio.Event()
        self._waiting.add(moved)
        try:
            while not self._has_passed(last):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SECONDS):
                        await moved.wait()
                moved.clear()
        finally:
            self._waiting.remove(moved)

    def _has_passed(self, last: Positions) -> bool:
        with suppress(*UNAVAILABLE):
            return all(self._folded.passed(*place, offset) for place, offset in last.items())
        return False

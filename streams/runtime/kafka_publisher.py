"""Publishes events from an event loop to a log that blocks: callers that wait at once share an append. Knows no Kafka.

The embedded engine has its own publisher, whose writer batches by itself (``streams.runtime.publisher``).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from schemas.events import AnyEvent
from streams.log.port import Appended, LogError, LogUnavailableError, Record, record_of

_AT_ONCE = 4
"""Appends under way: while one waits for its acknowledgement, the next may leave."""
_MOST_RECORDS = 1_000

_Waiting = tuple[Sequence[Record], "asyncio.Future[list[Appended]]"]


class Appends(Protocol):
    """The part of an ``EventLog`` that this needs."""

    def append(self, records: Sequence[Record]) -> list[Appended]:
        """Append as ``EventLog.append``; blocks."""


class KafkaPublisher:
    """Implements ``streams.runtime.publisher.Publisher`` over a log. To be used from one event loop.

    What arrives while all appends are under way leaves together with the next one; each caller is answered for its own
    records. Between callers no order is promised, as the log promises none. ``appended`` counts records.
    """

    def __init__(self, log: Appends) -> None:
        self.appended = 0
        self._log = log
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="append")
        self._waiting: deque[_Waiting] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many callers wait for their turn."""
        return len(self._waiting)

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        return await self.append([record_of(event) for event in events])

    async def append(self, records: Sequence[Record]) -> list[Appended]:
        """Append encoded events; raises LogError as ``EventLog.append`` does."""
        if not records:
            return []
        answer: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, answer))
        self._leave()
        return await answer

    def close(self) -> None:
        """Let the appends that are under way end, and take no more."""
        self._threads.shutdown(wait=True)

    def _leave(self) -> None:
        while self._waiting and len(self._under_way) < _AT_ONCE:
            task = asyncio.create_task(self._together(self._gathered()))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._leave()

    def _gathered(self) -> list[_Waiting]:
        """Return callers whose records fit into one append: at least one of them, and none that is gone."""
        found = [self._waiting.popleft()]
        count = len(found[0][0])
        while self._waiting and count + len(self._waiting[0][0]) <= _MOST_RECORDS:
            found.append(self._waiting.popleft())
            count += len(found[-1][0])
        return found

    async def _together(self, callers: list[_Waiting]) -> None:
        try:
            appended = await self._run([record for records, _ in callers for record in records])
        except LogError as error:
            if len(callers) > 1 and not isinstance(error, LogUnavailableError):
                # One caller's record is at fault (too large), and nothing of this append was sent.
                for caller in callers:
                    await self._together([caller])
                return
            for _, answer in callers:
                _refuse(answer, error)
        except BaseException as error:  # whatever it is, nobody may wait for ever; who waits raises it
            for _, answer in callers:
                _refuse(answer, error)
        else:
            self.appended += len(appended)
            for records, answer in callers:
                mine, appended = appended[: len(records)], appended[len(records) :]
                if not answer.done():  # a caller may have gone meanwhile; its records are stored all the same
                    answer.set_result(mine)

    async def _run(self, records: list[Record]) -> list[Appended]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._log.append, records)
        except RuntimeError as error:
            raise LogUnavailableError("the log is closed") from error


def _refuse(answer: "asyncio.Future[list[Appended]]", error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)

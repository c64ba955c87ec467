"""Has every processor fold the partitions that this worker has now: a lane for each partition number.

Lanes work beside each other, because what a fold does is mostly waiting for acknowledgements; within a lane the processors
take each batch one after the other. It knows nothing of where messages come from.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from schemas.wire import SINGLE_OBJECT, Framing, as_single_object
from streams.log.port import LogUnavailableError, TopicPartition
from streams.runtime.partition_fold import Message, PartitionFold
from streams.runtime.state_store import HalfLostError, StoreUnavailableError

_BATCH = 500
_MOST_WAITING = 5_000
"""Messages that may wait in a lane until the one who brings more has to wait."""
_IDLE_SECONDS = 1.0
"""After how long a processor's position is moved over messages of which it wanted none."""
_AGAIN_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
"""How long a log or a store may be away; after that it may be this process that is at fault, and it is better replaced."""
_THREADS = 64
_log = logging.getLogger(__name__)
Folds = Callable[[], Sequence[PartitionFold]]
"""Makes the processors of one partition, in their order."""
Fault = Callable[[BaseException], None]


class Lane:
    """One partition number of all topics. Everything but ``fold`` is called from the event loop."""

    def __init__(
        self,
        partition: int,
        folds: Sequence[PartitionFold],
        threads: ThreadPoolExecutor,
        framing: Framing = SINGLE_OBJECT,
    ) -> None:
        self.partition = partition
        self.folds = folds
        self._threads = threads
        self._framing = framing
        self._waiting: deque[tuple[str, Message]] = deque()
        self._passing: dict[tuple[str, str], list[Message]] = {}
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._resting = asyncio.Event()
        self._at_work = asyncio.Lock()

    def position(self, topic: str) -> int:
        """Return the first offset that some processor has yet to read."""
        return min(fold.position((topic, self.partition)) for fold in self.folds if topic in fold.processor.topics)

    async def put(self, topic: str, message: Message) -> None:
        """Let a message wait for its turn, after waiting for room."""
        await self._room.wait()
        self._waiting.append((topic, message))
        self._arrived.set()
        if len(self._waiting) >= _MOST_WAITING:
            self._room.clear()

    async def rest(self) -> None:
        """Drop what waits, and return when the batch in hand is done."""
        self._waiting.clear()
        self._room.set()
        self._resting.set()
        async with self._at_work:
            self._passing.clear()
        self._resting.clear()

    async def work(self) -> None:
        """Fold what arrives until it is cancelled; raises what cannot be waited out."""
        while True:
            await self._wait()
            async with self._at_work:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                self._room.set()
                await self._repeat(batch)

    async def _wait(self) -> None:
        if self._waiting:
            return
        self._arrived.clear()
        try:
            await asyncio.wait_for(self._arrived.wait(), _IDLE_SECONDS if self._passing else None)
        except TimeoutError:
            return  # nothing came: time to move the positions that stayed behind

    async def _repeat(self, batch: Sequence[tuple[str, Message]]) -> None:
        await _until_done(self._threads, partial(self.fold, batch), f"partition {self.partition}", self._resting)

    def fold(self, batch: Sequence[tuple[str, Message]]) -> None:
        """Give a batch to every processor that reads its topics. An empty one lets positions that stayed behind move."""
        topics: dict[str, list[Message]] = {}
        for topic, message in batch:
            topics.setdefault(topic, []).append(self._plain(message))
        if not topics:
            topics = {topic: [] for _, topic in self._passing}
        for topic, messages in topics.items():
            for fold in self.folds:
                if topic in fold.processor.topics:
                    self._give(fold, topic, messages, idle=not batch)

    def _plain(self, message: Message) -> Message:
        """Return a message as folds read them. Here, because a registry may have to be asked: waited for, or a fault."""
        frame = as_single_object(self._framing, message.frame, message.type)
        return message if frame is message.frame else message._replace(frame=frame)

    def _give(self, fold: PartitionFold, topic: str, messages: list[Message], *, idle: bool) -> None:
        # A commit for each batch of which it wants nothing would cost as much as one that does something.
        name = (fold.processor.name, topic)
        given = self._passing.pop(name, []) + messages
        types = fold.processor.types
        if not given:
            return
        if idle or len(given) >= _BATCH or any(message.type in types for message in messages):
            fold.fold((topic, self.partition), given)
        else:
            self._passing[name] = given


async def _until_done(
    threads: ThreadPoolExecutor, work: Callable[[], object], what: str, unless: asyncio.Event
) -> None:
    """Do a piece of work; while the log or the store is away, again and again until ``unless``: nothing of it is lost."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_SECONDS
    while True:
        try:
            await loop.run_in_executor(threads, work)
        except HalfLostError:
            raise
        except (LogUnavailableError, StoreUnavailableError) as error:
            if loop.time() > until:
                raise
            _log.warning("%s waits: %s", what, error)
        else:
            return
        try:
            await asyncio.wait_for(unless.wait(), _AGAIN_SECONDS)
        except TimeoutError:
            continue
        return


class Lanes:
    """The lanes of a worker. All methods are for the event loop; ``fault`` is told there what a lane cannot survive."""

    def __init__(self, folds: Folds, fault: Fault, framing: Framing = SINGLE_OBJECT) -> None:
        self._folds = folds
        self._fault = fault
        self._framing = framing
        self._threads = ThreadPoolExecutor(_THREADS, "lane")
        self._lanes: dict[int, Lane] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()
        self._closing = asyncio.Event()

    @property
    def lanes(self) -> list[Lane]:
        """Those of the partitions that this worker has now."""
        return list(self._lanes.values())

    async def assign(self, partitions: Iterable[int]) -> None:
        """Take over these partitions, from the store's positions on, and let go of all others."""
        wanted = frozenset(partitions)
        async with self._changing:
            await self._rest()
            for partition in self._lanes.keys() - wanted:
                self._tasks.pop(partition).cancel()
                del self._lanes[partition]
            await asyncio.gather(*(self._take(partition) for partition in sorted(wanted)))

    async def _take(self, partition: int) -> None:
        lane = self._lanes.get(partition) or Lane(partition, self._folds(), self._threads, self._framing)
        for fold in lane.folds:
            name = f"{fold.processor.name}, partition {partition},"
            await _until_done(self._threads, partial(fold.assigned, [partition]), name, self._closing)
        self._lanes[partition] = lane
        if partition not in self._tasks:
            self._tasks[partition] = task = asyncio.create_task(lane.work())
            task.add_done_callback(self._ended)

    def position(self, place: TopicPartition) -> int:
        """Return the first offset of a partition that is ours that some processor has yet to read; else raises KeyError."""
        return self._lanes[place[1]].position(place[0])

    async def put(self, place: TopicPartition, message: Message) -> None:
        """Have a message folded, after waiting for room; dropped where the partition is not ours (any more)."""
        lane = self._lanes.get(place[1])
        if lane is not None:
            await lane.put(place[0], message)

    async def rest(self) -> None:
        """Drop what waits, and return when no batch is in hand."""
        async with self._changing:
            await self._rest()

    async def close(self) -> None:
        """Finish the batches in hand and let go of everything."""
        self._closing.set()
        await self.assign([])
        self._threads.shutdown(wait=False)

    async def _rest(self) -> None:
        await asyncio.gather(*(lane.rest() for lane in self._lanes.values()))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault(error)

"""Has every processor fold the partitions that this worker has now. It knows nothing of where messages come from.

A lane is a partition number; in it each processor goes at its own pace, with its own position. They share no state and
what a fold does is mostly waiting for acknowledgements, so none need wait for another.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
_PACE_SECONDS = 0.01
"""How long after a batch was begun the next one is at the earliest: what comes in a flurry costs one commit, not many."""
_LOOK_SECONDS = 5.0
"""How often the store is asked whether it still knows what was folded: of a partition that rests nobody else asks."""
_AGAIN_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
"""How long a log or a store may be away; after that it may be this process that is at fault, and it is better replaced."""
_THREADS = 64
_log = logging.getLogger(__name__)
Folds = Callable[[], Sequence[PartitionFold]]
"""Makes the processors of one partition, in their order."""
Fault = Callable[[BaseException], None]


class Track:
    """One processor in one lane. Everything but ``fold`` is called from the event loop."""

    def __init__(self, partition: int, fold: PartitionFold, threads: ThreadPoolExecutor, framing: Framing) -> None:
        self.fold = fold
        self.topics = frozenset(fold.processor.topics)
        self.waiting: deque[tuple[str, Message]] = deque()
        self.room = asyncio.Event()
        self.room.set()
        self._name = f"{fold.processor.name}, partition {partition},"
        self._partition = partition
        self._types = fold.processor.types
        self._threads = threads
        self._framing = framing
        self._wanted = asyncio.Event()
        self._resting = asyncio.Event()
        self._at_work = asyncio.Lock()

    async def take_over(self, unless: asyncio.Event) -> None:
        """Begin at the store's position."""
        await _until_done(self._threads, partial(self.fold.assigned, [self._partition]), self._name, unless)

    def put(self, topic: str, message: Message) -> None:
        """Let a message wait for its turn. Of one that is not wanted only the position matters, which can wait."""
        self.waiting.append((topic, message))
        if message.type in self._types or len(self.waiting) >= _BATCH:
            self._wanted.set()
        if len(self.waiting) >= _MOST_WAITING:
            self.room.clear()
            self._wanted.set()

    async def rest(self) -> None:
        """Drop what waits, and return when the batch in hand is done."""
        self.waiting.clear()
        self.room.set()
        self._resting.set()
        async with self._at_work:
            self._resting.clear()

    async def work(self) -> None:
        """Fold what arrives until it is cancelled; raises what cannot be waited out."""
        loop = asyncio.get_running_loop()
        earliest, looked = loop.time(), loop.time()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _IDLE_SECONDS)
            if (early := earliest - loop.time()) > 0:
                await asyncio.sleep(early)
            earliest = loop.time() + _PACE_SECONDS
            async with self._at_work:
                batch = [self.waiting.popleft() for _ in range(min(_BATCH, len(self.waiting)))]
                if not self.waiting:
                    self._wanted.clear()
                self.room.set()
                if batch:
                    await _until_done(self._threads, partial(self._fold, batch), self._name, self._resting)
                if loop.time() - looked > _LOOK_SECONDS:
                    restore = partial(self.fold.restore, self._partition)
                    await _until_done(self._threads, restore, self._name, self._resting)
                    looked = loop.time()

    def _fold(self, batch: Sequence[tuple[str, Message]]) -> None:
        topics: dict[str, list[Message]] = {}
        for topic, message in batch:
            topics.setdefault(topic, []).append(self._plain(message))
        for topic, messages in topics.items():
            self.fold.fold((topic, self._partition), messages)

    def _plain(self, message: Message) -> Message:
        """Return a message as folds read them. Here, because a registry may have to be asked: waited for, or a fault."""
        frame = as_single_object(self._framing, message.frame, message.type)
        return message if frame is message.frame else message._replace(frame=frame)


class Lane:
    """One partition number of all topics."""

    def __init__(
        self, partition: int, folds: Sequence[PartitionFold], threads: ThreadPoolExecutor, framing: Framing
    ) -> None:
        self.partition = partition
        self.folds = folds
        self.tracks = [Track(partition, fold, threads, framing) for fold in folds]

    def position(self, topic: str) -> int:
        """Return the first offset that some processor has yet to read."""
        return min(track.fold.position((topic, self.partition)) for track in self.tracks if topic in track.topics)

    async def put(self, topic: str, message: Message) -> None:
        """Give a message to every processor that reads the topic, after waiting for room."""
        for track in self.tracks:
            if topic in track.topics:
                await track.room.wait()
                track.put(topic, message)

    async def rest(self) -> None:
        """Drop what waits, and return when no batch is in hand."""
        await asyncio.gather(*(track.rest() for track in self.tracks))

    async def work(self) -> None:
        """Fold what arrives until it is cancelled; raises what cannot be waited out."""
        async with asyncio.TaskGroup() as group:
            for track in self.tracks:
                group.create_task(track.work())


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
            # A lane's faults come as a group; the first of them says what there is to know.
            self._fault(error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error)

"""Has every processor fold the partitions that this worker has now. It knows nothing of where messages come from.

A lane is a processor, which goes at its own pace, with its own positions. They share no state and what a fold does is
mostly waiting for acknowledgements, so none need wait for another. What waits in several of its partitions a lane
folds together: an acknowledgement for one costs as much as one for eight.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from schemas.wire import SINGLE_OBJECT, Framing, as_single_object
from streams.log.port import LogUnavailableError, TopicPartition
from streams.runtime.announcements import Announcer, Placed
from streams.runtime.arrivals import Arrivals
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_steps import Message
from streams.runtime.state_store import HalfLostError, StoreUnavailableError

_BATCH = 500
_MOST_WAITING = 5_000
"""Messages that may wait in a lane until the one who brings more has to wait."""
_IDLE_SECONDS = 1.0
"""After how long a lane's positions are moved over messages of which it wanted none."""
_PACE_SECONDS = 0.02
"""How long after a round was begun the next one is at the earliest: what comes in a flurry costs one commit, not many."""
_LEISURE_SECONDS = 0.2
"""The same for a processor for which nobody waits."""
_LOOK_SECONDS = 5.0
"""How often the store is asked whether it still knows what was folded: of a partition that rests nobody else asks."""
_AGAIN_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
"""How long a log or a store may be away; after that it may be this process that is at fault, and it is better replaced."""
_log = logging.getLogger(__name__)
Folds = Callable[[], Sequence[PartitionFold]]
"""Makes the processors of a worker, in the order in which they are given messages."""
Fault = Callable[[BaseException], None]


class Lane:
    """One processor. Everything but ``fold`` is called from the event loop."""

    def __init__(self, fold: PartitionFold, threads: ThreadPoolExecutor, framing: Framing) -> None:
        self.fold = fold
        self.topics = frozenset(fold.processor.topics)
        self._waiting: dict[TopicPartition, deque[Message]] = {}
        self._count = 0
        self._room = asyncio.Event()
        self._room.set()
        self._types = fold.processor.types
        self._pace = _LEISURE_SECONDS if fold.processor.leisurely else _PACE_SECONDS
        self._threads = threads
        self._framing = framing
        self._wanted = asyncio.Event()
        self._resting = asyncio.Event()
        self._at_work = asyncio.Lock()

    async def take_over(self, partitions: Iterable[int], unless: asyncio.Event) -> None:
        """Begin at the store's positions; to be called while it rests."""
        await self._until_done(partial(self.fold.assigned, list(partitions)), unless)

    @property
    def has_room(self) -> bool:
        """Whether a message may be put."""
        return self._count < _MOST_WAITING

    async def room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    def put(self, place: TopicPartition, message: Message) -> None:
        """Let a message wait for its turn. Of one that is not wanted only the position matters, which can wait."""
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = deque()
        waiting.append(message)
        self._count += 1
        if message.type in self._types or self._count >= _BATCH:
            self._wanted.set()
        if not self.has_room:
            self._room.clear()
            self._wanted.set()

    async def rest(self) -> None:
        """Drop what waits, and return when the round in hand is done."""
        self._waiting.clear()
        self._count = 0
        self._room.set()
        self._resting.set()
        async with self._at_work:
            self._resting.clear()

    async def work(self) -> None:
        """Fold what arrives until it is cancelled; raises what cannot be waited out."""
        loop = asyncio.get_running_loop()
        earliest, looked = loop.time(), loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    await self._wanted.wait()
            if (early := earliest - loop.time()) > 0:
                await asyncio.sleep(early)
            earliest = loop.time() + self._pace
            async with self._at_work:
                if round_ := self._taken():
                    await self._until_done(partial(self._fold, round_), self._resting)
                if loop.time() - looked > _LOOK_SECONDS:
                    await self._until_done(self.fold.restore, self._resting)
                    looked = loop.time()

    def _taken(self) -> dict[TopicPartition, list[Message]]:
        """Return what the next round folds: something of every place where something waits."""
        if not self._count:
            self._wanted.clear()
            return {}
        share = max(1, _BATCH // len(self._waiting))
        taken = {}
        for place, waiting in list(self._waiting.items()):
            taken[place] = [waiting.popleft() for _ in range(min(share, len(waiting)))]
            self._count -= len(taken[place])
            if not waiting:
                del self._waiting[place]
        if not self._count:
            self._wanted.clear()
        if self.has_room:
            self._room.set()
        return taken

    def _fold(self, waiting: Mapping[TopicPartition, Sequence[Message]]) -> None:
        self.fold.fold_all({place: [self._plain(one) for one in messages] for place, messages in waiting.items()})

    def _plain(self, message: Message) -> Message:
        """Return a message as folds read them. Here, because a registry may have to be asked: waited for, or a fault."""
        frame = as_single_object(self._framing, message.frame, message.type)
        return message if frame is message.frame else message._replace(frame=frame)

    async def _until_done(self, work: Callable[[], object], unless: asyncio.Event) -> None:
        """Do a piece of work; while log or store is away, again and again until ``unless``: nothing of it is lost."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                await loop.run_in_executor(self._threads, work)
            except HalfLostError:
                raise
            except (LogUnavailableError, StoreUnavailableError) as error:
                if loop.time() > until:
                    raise
                _log.warning("%s waits: %s", self.fold.processor.name, error)
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
        made = folds()
        self._fault = fault
        self._threads = ThreadPoolExecutor(max(1, len(made)), "lane")
        self._lanes = [Lane(fold, self._threads, framing) for fold in made]
        self._by_topic: dict[str, list[Lane]] = {}
        for lane in self._lanes:
            for topic in lane.topics:
                self._by_topic.setdefault(topic, []).append(lane)
        self._partitions: frozenset[int] = frozenset()
        self._arrivals = Arrivals()
        self._loop: asyncio.AbstractEventLoop | None = None
        for fold in made:
            fold.listen(self.announce)
        self._tasks: list[asyncio.Task[None]] = []
        self._changing = asyncio.Lock()
        self._closing = asyncio.Event()
        self._others: Announcer | None = None

    def tell(self, others: Announcer) -> None:
        """Have ``others`` told of what this worker appends to their partitions."""
        self._others = others

    @property
    def folds(self) -> list[PartitionFold]:
        """The processors."""
        return [lane.fold for lane in self._lanes]

    @property
    def partitions(self) -> frozenset[int]:
        """Those that this worker has now."""
        return self._partitions

    @property
    def topics(self) -> list[str]:
        """What the processors read."""
        return sorted(self._by_topic)

    async def assign(self, partitions: Iterable[int]) -> None:
        """Take over these partitions, from the store's positions on, and let go of all others."""
        wanted = frozenset(partitions)
        self._loop = asyncio.get_running_loop()
        async with self._changing:
            await self._rest()
            self._partitions &= wanted
            await asyncio.gather(*(lane.take_over(wanted, self._closing) for lane in self._lanes))
            self._partitions = wanted
            self._arrivals.begin(self._positions())
            if not self._tasks and wanted:
                self._tasks = [self._working(lane) for lane in self._lanes]

    def position(self, place: TopicPartition) -> int:
        """Return the first offset of a partition that is ours that some processor has yet to read; else raises KeyError."""
        return min(lane.fold.position(place) for lane in self._by_topic[place[0]])

    async def put(self, place: TopicPartition, message: Message) -> None:
        """Have a message folded, after waiting for room; dropped where the partition is not ours (any more)."""
        while (full := self._full(place[0])) is not None:
            await full.room()
        if place[1] in self._partitions and self._arrivals.is_new(place, message.offset):
            self._give(place, self._arrivals.fetched(place, message))

    def _full(self, topic: str) -> Lane | None:
        return next((lane for lane in self._by_topic.get(topic, ()) if not lane.has_room), None)

    def _give(self, place: TopicPartition, messages: Sequence[Message]) -> None:
        for lane in self._by_topic.get(place[0], ()):
            for message in messages:
                lane.put(place, message)

    def _positions(self) -> dict[TopicPartition, int]:
        places = [(topic, partition) for topic in self._by_topic for partition in self._partitions]
        return {place: self.position(place) for place in places}

    # --- what our processors emit, and others announce: whoever folds it next need not wait until it is fetched ---

    def announce(self, placed: Sequence[Placed]) -> None:
        """Be told, by the thread that did so, what this worker appended; implements ``Announcer``."""
        self.told(placed)
        theirs = [each for each in placed if each[0][1] not in self._partitions]
        if theirs and self._others is not None:
            self._others.announce(theirs)

    def told(self, placed: Sequence[Placed]) -> None:
        """Be told, by any thread, what was appended."""
        ours = [each for each in placed if each[0][0] in self._by_topic and each[0][1] in self._partitions]
        if ours and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody folds here any more
                self._loop.call_soon_threadsafe(self._take_told, ours)

    def _take_told(self, placed: Sequence[Placed]) -> None:
        for place, message in placed:
            # Where there is no room, or no owner, it is fetched like everything else.
            if place[1] in self._partitions and self._full(place[0]) is None:
                self._give(place, self._arrivals.appended(place, message))

    async def rest(self) -> None:
        """Drop what waits, and return when no round is in hand."""
        async with self._changing:
            await self._rest()

    async def close(self) -> None:
        """Finish the rounds in hand and let go of everything."""
        self._closing.set()
        await self.assign([])
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False)

    async def _rest(self) -> None:
        self._arrivals.begin({})
        await asyncio.gather(*(lane.rest() for lane in self._lanes))

    def _working(self, lane: Lane) -> "asyncio.Task[None]":
        task = asyncio.create_task(lane.work())
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault(error)

"""The sender of one channel: claims what waits, sends it, and records how it ended; never one without the others.

A claim is durable before any byte is sent, so after a crash it is known what may have left. The sender keeps nothing
that the log does not know, but for what is in its hands.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from random import SystemRandom

from consumers.delivery.channel import Channel
from consumers.delivery.dispatch import Dispatch
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.verdicts import Conclusion
from schemas.events import AnyEvent, DeliveriesRecorded, DeliveryResult, Event, EventData, Micros, NotificationsClaimed
from schemas.ids import random_id
from schemas.vocabulary import NotificationState
from streams.log.port import LogUnavailableError
from streams.runtime.clock import Clock
from streams.runtime.failpoints import Failpoint
from streams.runtime.metrics import Metrics
from streams.runtime.publisher import Publisher

_log = logging.getLogger(__name__)
_IDLE_SECONDS = 5.0
_LOG_PAUSE_SECONDS = 1.0
_MOST_RESULTS = 500
_ORPHANED = "the sender ended between the claim and its record"
_QUICK_SECONDS = 0.1
_FOLD_SECONDS = 0.05
_CAUTION = 8
_TAKEN = (NotificationState.SENT, NotificationState.IN_DOUBT)


class Sender:
    """Sends one channel's notifications, as many at once as the channel's ``claim`` while its provider is quick.

    What is in hand when the process dies is in doubt, so a slow provider is given an eighth of that. ``folded`` returns
    the offset below which the ledger has seen everything.
    """

    def __init__(
        self,
        channel: Channel,
        queue: DeliveryQueue,
        publisher: Publisher,
        dispatch: Dispatch,
        clock: Clock,
        failpoint: Failpoint,
        metrics: Metrics,
        folded: Callable[[], int],
    ) -> None:
        self.worker = f"{channel.capabilities.name}-{random_id()[:12]}"
        self._channel = channel
        self._name = channel.capabilities.name
        self._queue = queue
        self._publisher = publisher
        self._dispatch = dispatch
        self._clock = clock
        self._failpoint = failpoint
        self._metrics = metrics
        self._folded = folded
        self._seconds = _QUICK_SECONDS
        self._random = SystemRandom()
        self._in_hand: dict[str, Entry] = {}
        self._busy: set[tuple[str, str]] = set()
        self._concluded: list[tuple[Entry, Conclusion]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._paused_until: Micros = 0

    def wake(self) -> None:
        """Something may wait; call it from the loop's thread."""
        self._wake.set()

    async def recover(self) -> None:
        """Put what an earlier life had claimed and not recorded in doubt; before ``run``."""
        left = [entry for entry in self._queue.claimed() if entry.channel == self._name]
        concluded = [(entry, self._dispatch.doubt(self._channel, entry, _ORPHANED, self._clock())) for entry in left]
        for start in range(0, len(concluded), _MOST_RESULTS):
            await self._publish(self._records(concluded[start : start + _MOST_RESULTS]))

    async def run(self) -> None:
        """Send until ``stop``; then finish what is in hand and record it."""
        while not self._stopping or self._tasks or self._concluded:
            self._wake.clear()
            try:
                moved = await self._turn()
            except LogUnavailableError as error:
                _log.warning("%s: the log cannot be written, trying again: %s", self._name, error)
                await asyncio.sleep(_LOG_PAUSE_SECONDS)
                continue
            if not moved:
                await self._rest()

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopping

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._wake.set()

    @property
    def _slots(self) -> int:
        most = self._channel.capabilities.claim
        return most if self._seconds < _QUICK_SECONDS else max(1, most // _CAUTION)

    async def _rest(self) -> None:
        due = None if self._stopping else self._queue.due_at(self._name)
        now = self._clock()
        seconds = _IDLE_SECONDS
        if due is not None and len(self._in_hand) < self._slots:
            # What is due already waits for something in hand; that wakes us when it ends.
            start = max(due, self._paused_until)
            seconds = min(_IDLE_SECONDS, max(0.0, (start - now) / 1_000_000)) if start > now else 0.25
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _turn(self) -> bool:
        """Record what ended and claim what waits, with one append; return whether there was either."""
        ended, chosen = self._concluded[:_MOST_RESULTS], self._choose()
        if not (ended or chosen):
            return False
        if ended:
            self._failpoint("before_record")
        if chosen:
            self._failpoint("before_claim")
        await self._publish([*self._records(ended), *self._claims(chosen)])
        if ended:
            self._let_go(ended)
            self._failpoint("recorded")
        if chosen:
            await self._begin(chosen)
        return True

    def _choose(self) -> list[Entry]:
        now = self._clock()
        free = self._slots - len(self._in_hand)
        if self._stopping or free <= 0 or now < self._paused_until:
            return []
        found = self._queue.next(self._name, now, free + len(self._in_hand))
        return [entry for entry in found if self._is_free(entry)][:free]

    def _is_free(self, entry: Entry) -> bool:
        return entry.notification not in self._in_hand and (entry.subject, entry.subscriber) not in self._busy

    def _claims(self, entries: list[Entry]) -> list[AnyEvent]:
        older = [(old, self._dispatch.superseded(old, entry)) for entry in entries for old in self._queue.older(entry)]
        return [*self._events(entries, self._claim_of), *self._results(older)]

    async def _begin(self, claimed: list[Entry]) -> None:
        """Send what was claimed, if it is ours: the ledger decides who holds a claim that another made meanwhile."""
        held = await self._held([entry.notification for entry in claimed])
        mine = [entry for entry in claimed if entry.notification in held]
        for entry in mine:
            self._in_hand[entry.notification] = entry
            self._busy.add((entry.subject, entry.subscriber))
        self._failpoint("claimed")
        for entry in mine:
            task = asyncio.create_task(self._send(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _held(self, notifications: list[str]) -> set[str]:
        """Return which claims are ours; what is claimed must not be forgotten because the log cannot be read now."""
        while True:
            try:
                return self._queue.held_by(self.worker, notifications)
            except LogUnavailableError as error:
                _log.warning("%s: the log cannot be read, trying again: %s", self._name, error)
                await asyncio.sleep(_LOG_PAUSE_SECONDS)

    def _let_go(self, recorded: list[tuple[Entry, Conclusion]]) -> None:
        del self._concluded[: len(recorded)]
        for entry, _ in recorded:
            self._in_hand.pop(entry.notification, None)
            self._busy.discard((entry.subject, entry.subscriber))

    def _claim_of(self, group: list[Entry]) -> EventData:
        return NotificationsClaimed(self.worker, group[0].shard, [entry.notification for entry in group])

    async def _send(self, entry: Entry) -> None:
        self._failpoint("before_send")
        began = self._clock()
        conclusion = await self._dispatch.send(self._channel, entry, self._random)
        if conclusion.state in _TAKEN:  # how fast a provider refuses says nothing of how fast it accepts
            self._seconds += ((self._clock() - began) / 1_000_000 - self._seconds) / _CAUTION
        self._failpoint("sent")
        self._metrics.deliveries.labels(self._name, conclusion.state.value).inc()
        if conclusion.pause_until is not None:
            self._paused_until = conclusion.pause_until
        self._concluded.append((entry, conclusion))
        self._wake.set()

    def _records(self, concluded: list[tuple[Entry, Conclusion]]) -> list[AnyEvent]:
        followers = [event for _, conclusion in concluded for event in conclusion.events]
        return [*self._results(concluded), *followers]

    async def _publish(self, events: list[AnyEvent]) -> None:
        """Append ``events`` and wait until the ledger has folded them: what it says next must know of them."""
        if not events:
            return
        appended = await self._publisher.publish(events)
        last = max(one.offset for one in appended)
        while self._folded() <= last:
            self._wake.clear()
            try:
                async with asyncio.timeout(_FOLD_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.set()

    def _results(self, concluded: Iterable[tuple[Entry, Conclusion]]) -> list[AnyEvent]:
        found = dict[str, DeliveryResult]()
        entries = []
        for entry, conclusion in concluded:
            entries.append(entry)
            found[entry.notification] = DeliveryResult(
                entry.notification, conclusion.state, conclusion.reason, conclusion.retry_at
            )
        return self._events(
            entries,
            lambda group: DeliveriesRecorded(
                self.worker, group[0].shard, [found[entry.notification] for entry in group]
            ),
        )

    def _events(self, entries: list[Entry], data: Callable[[list[Entry]], EventData]) -> list[AnyEvent]:
        groups: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        for entry in entries:
            groups[entry.page, entry.shard].append(entry)
        now = self._clock()
        return [
            Event(random_id(), page, now, now, "tocsin", None, None, False, data(group))
            for (page, _), group in groups.items()
        ]

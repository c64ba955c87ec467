"""The sender of one channel: claims what waits, sends it, and records how it ended; never one without the others.

A claim is durable before any byte is sent, so after a crash it is known what may have left. The sender keeps nothing
that the log does not know, but for what is in its hands. Any number of senders may work on a channel: a claim takes effect
for the first one, and a sender sends only what it holds while its lease lasts.
"""

import asyncio
import logging
from collections.abc import Container, Coroutine, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from math import inf
from operator import itemgetter
from random import SystemRandom
from typing import Any, NamedTuple

from msgspec.structs import replace

from consumers.delivery import recording, verdicts
from consumers.delivery.ahead import NOTHING, Found
from consumers.delivery.attempts import Attempts
from consumers.delivery.breaker import Breaker
from consumers.delivery.channel import Channel
from consumers.delivery.folded import UNAVAILABLE, Folded, FoldedLog
from consumers.delivery.hosts import kept_apart
from consumers.delivery.leases import Membership, alone
from consumers.delivery.limiter import Limiter
from consumers.delivery.outlook import IDLE_SECONDS, MOST_RESULTS, Outlook
from consumers.delivery.queue import DeliveryQueue, Entry, Holding
from consumers.delivery.recording import Concluded, Turn
from consumers.delivery.slots import slots_of
from consumers.delivery.together import batches
from consumers.delivery.verdicts import Conclusion
from schemas.vocabulary import NotificationState
from streams.runtime.clock import Clock
from streams.runtime.failpoints import Failpoint
from streams.runtime.metrics import Metrics
from streams.runtime.publisher import Publisher
from streams.runtime.state_store import StoreUnavailableError

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0
_BLOCKED = "another update for the same endpoint was planned or claimed meanwhile"
_SENT = NotificationState.SENT
_TAKEN = (_SENT, NotificationState.IN_DOUBT)
_conclusion = itemgetter(1)


class Ledger(NamedTuple):
    """The ledger as a sender deals with it: read by the queue, written through the log, and known to have followed.

    ``turns`` is how many appends of a sender may be on their way: where log and ledger are far, what comes meanwhile need not
    wait for them. ``pace`` are the seconds from one look at it to the next.
    """

    queue: DeliveryQueue
    publisher: Publisher
    folded: Folded
    turns: int = 1
    pace: float = 0.0


class _Either:
    """What is in one of two, without a copy of both for each turn."""

    def __init__(self, these: Container[str], those: Container[str]) -> None:
        self._these = these
        self._those = those

    def __contains__(self, notification: object) -> bool:
        return notification in self._these or notification in self._those


class Sender:
    """Sends one channel's notifications, as many at once as ``slots`` allow.

    What is in hand when the process dies is in doubt. Without a ``membership`` it is the only one of its channel.
    """

    def __init__(
        self,
        channel: Channel,
        ledger: Ledger,
        dispatch: Attempts,
        clock: Clock,
        failpoint: Failpoint,
        metrics: Metrics,
        membership: Membership | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self._channel = kept_apart(channel)
        self._name = channel.capabilities.name
        self._queue = ledger.queue
        self._dispatch = dispatch
        self._clock = clock
        self._failpoint = failpoint
        self._metrics = metrics
        self._membership = membership or alone(self._name)
        self._breaker = Breaker()
        self._slots = slots_of(channel.capabilities)
        limits = limiter or Limiter(self._name)
        self._outlook = Outlook(
            channel.capabilities, ledger.queue, self._membership, clock, self._breaker, limits, self._slots
        )
        self._random = SystemRandom()
        self._in_hand: dict[str, Entry] = {}
        """By notification: what is claimed, from before its claim is appended until what came of it is recorded."""
        self._settling: set[str] = set()
        """Notifications that wait in vain, from before that is appended until the ledger knows."""
        self._most_turns = ledger.turns
        self._turns: set[asyncio.Task[None]] = set()
        self._pace = ledger.pace
        self._looked = 0.0
        self._concluded: list[Concluded] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._log = FoldedLog(ledger.publisher, ledger.folded)
        self._stopping = False

    def wake(self) -> None:
        """Something may wait, or the ledger has moved on; call it from the loop's thread."""
        self._wake.set()
        self._log.moved()

    async def recover(self) -> None:
        """Put what an earlier life had claimed and not recorded in doubt; before ``run``.

        Where others live beside us it takes a lease's time to know who is gone: then ``run`` does it.
        """
        await self._renew()
        while orphans := self._outlook.orphans():
            await self._log.publish(recording.results(orphans, self._membership.worker, self._clock()))

    async def run(self) -> None:
        """Send until ``stop``; then finish what is in hand and record it."""
        if not self._membership.is_valid:
            await self._renew()
        alive = asyncio.create_task(self._stay_alive())
        try:
            while not self._stopping or self._tasks or self._concluded or self._turns:
                await self._look_again()
                self._wake.clear()
                self._reap()  # behind that: a turn that ended unseen would be waited for, and nobody wakes us for it again
                try:
                    turn = self._next()
                except UNAVAILABLE as error:
                    await self._pause(error)
                    continue
                if turn is None:
                    await self._rest()
                elif self._most_turns == 1:
                    await self._take(turn)
                else:
                    self._turns.add(asyncio.create_task(self._take(turn)))
        finally:
            alive.cancel()
        with suppress(StoreUnavailableError):  # then the others learn of it when the lease runs out
            await asyncio.to_thread(self._membership.leave)

    @property
    def breaker(self) -> Breaker:
        """How the channel stands; to be looked at only."""
        return self._breaker

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopping

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._wake.set()

    # --- being alive ---

    async def _stay_alive(self) -> None:
        while (pause := self._membership.pause) != inf:
            await asyncio.sleep(pause)
            await self._renew()

    async def _renew(self) -> None:
        while True:
            try:
                if await asyncio.to_thread(self._membership.renew):
                    _log.warning("%s: the lease ran out; what was in hand and not begun is not sent", self._name)
            except StoreUnavailableError as error:
                _log.warning("%s: the lease cannot be renewed, trying again: %s", self._name, error)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    def _may_send(self, entry: Entry) -> bool:
        return entry.worker == self._membership.worker and self._membership.is_valid

    # --- one turn ---

    async def _look_again(self) -> None:
        """Wait until it is worth while to look at a ledger that is far: what comes in a flurry is one question."""
        if self._pace:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._looked + self._pace - loop.time()))
            self._looked = loop.time()

    async def _rest(self) -> None:
        is_full = self._stopping or len(self._turns) >= self._most_turns
        seconds = IDLE_SECONDS if is_full else self._outlook.seconds(len(self._in_hand))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._membership.pause)):
                await self._wake.wait()

    async def _pause(self, error: Exception) -> None:
        _log.warning("%s: log or ledger cannot be reached, trying again: %s", self._name, error)
        await asyncio.sleep(_PAUSE_SECONDS)

    def _reap(self) -> None:
        """Let go of the turns that ended; raises what one of them met that cannot be waited out."""
        for turn in [turn for turn in self._turns if turn.done()]:
            self._turns.remove(turn)
            turn.result()

    def _next(self) -> Turn | None:
        """Return what is to be recorded and claimed now; None where there is nothing, or enough is on its way."""
        if len(self._turns) >= self._most_turns:
            return None
        chosen, unsendable = ([], []) if self._stopping else (self._choose(), self._unsendable())
        ended = self._concluded[:MOST_RESULTS]
        if not (ended or chosen or unsendable):
            return None
        worker = self._membership.worker
        chosen = [replace(entry, worker=worker) for entry in chosen]
        del self._concluded[: len(ended)]
        self._in_hand |= {entry.notification: entry for entry in chosen}
        self._settling |= {entry.notification for entry, _ in unsendable}
        return Turn(worker, ended, chosen, unsendable)

    async def _take(self, turn: Turn) -> None:
        """Record what ended and claim what waits, with one append; then send what is ours."""
        try:
            await self._write(turn)
        except UNAVAILABLE as error:
            self._concluded[:0] = turn.ended
            await self._pause(error)
            self._forget(turn.chosen)
        except BaseException:  # whatever it is: how something ended is not lost, and a claim is found again
            self._concluded[:0] = turn.ended
            self._forget(turn.chosen)
            raise
        else:
            self._forget(entry for entry, _ in turn.ended)
            if turn.ended:
                self._failpoint("recorded")
            if turn.chosen:
                await self._begin(turn.worker, turn.chosen)
        finally:
            self._settling -= {entry.notification for entry, _ in turn.unsendable}
            self._wake.set()

    async def _write(self, turn: Turn) -> None:
        if turn.ended:
            self._failpoint("before_record")
        if turn.chosen:
            self._failpoint("before_claim")
        await self._log.publish(recording.turn(turn, self._clock()))

    def _choose(self) -> list[Entry]:
        found = self._outlook.due(self._in_hand, further=bool(self._turns))
        if self._breaker.is_open(self._clock()):
            return found
        companions = self._dispatch.companions(self._channel, found)
        return [*found, *(entry for entry in companions if entry.notification not in self._in_hand)]

    def _unsendable(self) -> list[Concluded]:
        vain = self._outlook.in_vain(_Either(self._in_hand, self._settling))
        for entries in vain.asked:
            self._start(self._ask(entries))
        return vain.ended

    # --- what is in hand ---

    async def _begin(self, worker: str, claimed: Sequence[Entry]) -> None:
        """Send what was claimed, if it is ours: the ledger decides who holds a claim that another made meanwhile."""
        try:
            holding = await self._held(worker, claimed)
        except BaseException:  # whatever it is: what is in nobody's hands is found again among the claims
            self._forget(claimed)
            raise
        mine = [entry for entry in claimed if entry.notification in holding.mine]
        blocked = [entry for entry in claimed if entry.notification in holding.blocked]
        if len(mine) + len(blocked) < len(claimed):
            ours = holding.mine | holding.blocked
            self._forget(entry for entry in claimed if entry.notification not in ours)
        self._failpoint("claimed")
        self._concluded += [(entry, verdicts.given_back(_BLOCKED, self._clock(), entry)) for entry in blocked]
        requests = batches(mine, self._channel.capabilities)
        ahead = self._dispatch.look_ahead(mine) if len(requests) == len(mine) > 1 else NOTHING
        for together in requests:
            self._start(self._send(together, ahead))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, entries: Sequence[Entry]) -> None:
        """Ask the provider about what is in doubt behind a newer update. Nobody claims that, for nothing is sent."""
        began = self._clock()
        for entry in entries:
            self._slots.began(entry.notification, began)
        refusals, lives = self._breaker.refusals, self._membership
        found = await self._dispatch.send_all(self._channel, entries, self._random, refusals, lambda _: lives.is_valid)
        self._conclude(list(zip(entries, found, strict=True)))
        self._wake.set()

    async def _held(self, worker: str, claimed: Sequence[Entry]) -> Holding:
        """Return which claims are ours; what is claimed must not be forgotten because the ledger cannot be read now."""
        while True:
            try:
                return self._queue.held_by(worker, claimed)
            except UNAVAILABLE as error:
                _log.warning("%s: the ledger cannot be read, trying again: %s", self._name, error)
                await asyncio.sleep(_PAUSE_SECONDS)

    def _forget(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._in_hand.pop(entry.notification, None)

    async def _send(self, entries: Sequence[Entry], ahead: Found) -> None:
        self._failpoint("before_send")
        began = self._clock()
        for entry in entries:
            self._slots.began(entry.notification, began)
        try:
            conclusions = await self._attempt(entries, began, ahead)
        except Exception as error:  # it may have left by then, and nothing may stay in hand for ever
            _log.exception("%s: an attempt of %s messages failed", self._name, len(entries))
            conclusions = [self._unknown(entry, error) for entry in entries]
        self._failpoint("sent")
        self._conclude(list(zip(entries, conclusions, strict=True)))
        self._wake.set()

    def _conclude(self, ended: Sequence[Concluded]) -> None:
        now = self._clock()
        for conclusion, alike in groupby(ended, _conclusion):
            taken = conclusion.attempted and conclusion.state in _TAKEN
            notifications = [entry.notification for entry, _ in alike]
            for notification in notifications:
                self._slots.ended(notification, now, taken=taken, together=len(ended))
            if conclusion.attempted:
                self._metrics.deliveries.labels(self._name, conclusion.state.value).inc(len(notifications))
            if conclusion.state is _SENT:
                self._breaker.accepted()
            if conclusion.pause_until is not None:
                self._breaker.refused(now, conclusion.pause_until, conclusion.refusal)
        self._metrics.rests.labels(self._name, "").set(self._breaker.refusals > 0)
        self._concluded += ended

    def _unknown(self, entry: Entry, error: Exception) -> Conclusion:
        capabilities = self._channel.capabilities
        return verdicts.doubt(
            f"it failed halfway: {type(error).__name__}",
            attempts=entry.attempts + 1,
            now=self._clock(),
            asks_again=capabilities.idempotent,
            random=self._random,
            asked_after=capabilities.asked_after,
        )

    async def _attempt(self, entries: Sequence[Entry], now: int, ahead: Found) -> list[Conclusion]:
        if self._breaker.is_open(now) and all(
            verdicts.is_late(verdicts.counted_from(entry, entry.at), now) for entry in entries
        ):
            return [verdicts.given_up(entry, self._breaker.reason) for entry in entries]
        return await self._dispatch.send_all(
            self._channel, entries, self._random, self._breaker.refusals, self._may_send, ahead
        )

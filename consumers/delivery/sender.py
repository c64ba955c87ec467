"""The sender of one channel: claims what waits, sends it, and records how it ended; never one without the others.

A claim is durable before any byte is sent, so after a crash it is known what may have left. The sender keeps nothing
that the log does not know, but for what is in its hands. Any number of senders may work on a channel: a claim takes effect
for the first one, and a sender sends only what it holds while its lease lasts.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from random import Random, SystemRandom
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from consumers.delivery import recording, verdicts
from consumers.delivery.breaker import Breaker
from consumers.delivery.channel import Channel
from consumers.delivery.folded import UNAVAILABLE, Folded, FoldedLog
from consumers.delivery.hosts import kept_apart
from consumers.delivery.leases import Membership, alone
from consumers.delivery.limiter import Limiter, micros_of
from consumers.delivery.orphans import Orphans
from consumers.delivery.queue import DeliveryQueue, Entry, Holding
from consumers.delivery.recording import Concluded
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
_IDLE_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_MOST_RESULTS = 2_000
_BLOCKED = "another update for the same endpoint was planned or claimed meanwhile"
_HELP_AFTER = 5_000_000
"""Microseconds after which what is due is anybody's: whoever should look after it is gone, or has too much to do."""
_SENT = NotificationState.SENT
_TAKEN = (_SENT, NotificationState.IN_DOUBT)


class Ledger(NamedTuple):
    """The ledger as a sender deals with it: read by the queue, written through the log, and known to have followed."""

    queue: DeliveryQueue
    publisher: Publisher
    folded: Folded


class Attempts(Protocol):
    """Tries to send entries and concludes (``Dispatch``; ``SwitchedOff`` for a channel that is not sent on)."""

    async def send_all(
        self,
        channel: Channel,
        entries: Sequence[Entry],
        random: Random,
        refusals: int,
        may_send: Callable[[Entry], bool],
    ) -> list[Conclusion]:
        """Try each once, all with one request where there are several; never raises for what goes wrong on the way."""

    def companions(self, channel: Channel, chosen: Sequence[Entry]) -> list[Entry]:
        """Return what waits for the same endpoints as any of ``chosen`` and may go out with them as one message."""


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
        self._orphans = Orphans(channel.capabilities, ledger.queue, self._membership, clock)
        self._breaker = Breaker()
        self._limiter = limiter or Limiter(self._name)
        self._slots = slots_of(channel.capabilities)
        self._random = SystemRandom()
        self._in_hand: dict[str, Entry] = {}
        self._concluded: list[Concluded] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._log = FoldedLog(ledger.publisher, ledger.folded, self._wake)
        self._stopping = False

    def wake(self) -> None:
        """Something may wait; call it from the loop's thread."""
        self._wake.set()

    async def recover(self) -> None:
        """Put what an earlier life had claimed and not recorded in doubt; before ``run``.

        Where others live beside us it takes a lease's time to know who is gone: then ``run`` does it.
        """
        await self._renew()
        while orphans := self._orphans.look(self._in_hand):
            await self._log.publish(recording.results(orphans, self._membership.worker, self._clock()))

    async def run(self) -> None:
        """Send until ``stop``; then finish what is in hand and record it."""
        if not self._membership.is_valid:
            await self._renew()
        alive = asyncio.create_task(self._stay_alive())
        try:
            while not self._stopping or self._tasks or self._concluded:
                self._wake.clear()
                try:
                    moved = await self._turn()
                except UNAVAILABLE as error:
                    _log.warning("%s: log or ledger cannot be reached, trying again: %s", self._name, error)
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                if not moved:
                    await self._rest()
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

    async def _rest(self) -> None:
        due = None if self._stopping else self._queue.due_at(self._name)
        now = self._clock()
        seconds = _IDLE_SECONDS
        if due is not None and self._slots.free(now, len(self._in_hand)) > 0:
            # What is due already waits for something in hand; that wakes us when it ends.
            start = max(due, self._breaker.until, now + micros_of(self._limiter.pause()))
            seconds = min(_IDLE_SECONDS, max(0.0, (start - now) / 1_000_000)) if start > now else 0.25
        elif due is not None and (more_at := self._slots.more_at()) is not None:
            seconds = min(_IDLE_SECONDS, max(0.0, (more_at - now) / 1_000_000))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._membership.pause)):
                await self._wake.wait()

    async def _turn(self) -> bool:
        """Record what ended and claim what waits, with one append; return whether there was either."""
        chosen, unsendable = self._choose(), self._unsendable()
        ended = self._concluded[:_MOST_RESULTS]
        if not (ended or chosen or unsendable):
            return False
        if ended:
            self._failpoint("before_record")
        if chosen:
            self._failpoint("before_claim")
        worker, now = self._membership.worker, self._clock()
        chosen = [replace(entry, worker=worker) for entry in chosen]
        await self._log.publish(
            [
                *recording.records(ended, worker, now),
                *recording.claims(worker, chosen, now),
                *recording.results(unsendable, worker, now),
            ]
        )
        if ended:
            self._let_go(ended)
            self._failpoint("recorded")
        if chosen:
            await self._begin(worker, chosen)
        return True

    def _choose(self) -> list[Entry]:
        now = self._clock()
        free = min(self._channel.capabilities.claim, self._slots.free(now, len(self._in_hand)))
        if self._stopping or free <= 0 or not self._membership.is_valid:
            return []
        share = self._membership.share
        found = self._queue.next(self._name, now, free, share)
        if not found and share.count > 1:
            found = self._queue.next(self._name, now - _HELP_AFTER, free)
        found = [entry for entry in found if entry.notification not in self._in_hand]
        if self._breaker.is_open(now):
            return [entry for entry in found if verdicts.is_late(verdicts.counted_from(entry, entry.at), now)]
        found = found[: self._breaker.admits(now, len(found), len(self._in_hand))]
        found = found[: self._limiter.take(len(found))]
        further = self._dispatch.companions(self._channel, found)
        return [*found, *(entry for entry in further if entry.notification not in self._in_hand)]

    def _unsendable(self) -> list[Concluded]:
        """Return what waits in vain: behind a newer update, or in the hands of who is gone."""
        if self._stopping or not self._membership.is_valid:
            return []
        overtaken = [
            # In our own name: a claim that we have not heard of yet stands above it. And of what is in hand we know better
            # than a ledger that is being folded anew.
            (replace(each.entry, worker=self._membership.worker), verdicts.superseded(each))
            for each in self._queue.overtaken(self._name, _MOST_RESULTS, self._membership.share)
            if each.entry.notification not in self._in_hand
        ]
        return [*overtaken, *self._orphans.look(self._in_hand)]

    # --- what is in hand ---

    async def _begin(self, worker: str, claimed: list[Entry]) -> None:
        """Send what was claimed, if it is ours: the ledger decides who holds a claim that another made meanwhile."""
        holding = await self._held(worker, claimed)
        mine = [entry for entry in claimed if entry.notification in holding.mine]
        blocked = [entry for entry in claimed if entry.notification in holding.blocked]
        self._in_hand |= {entry.notification: entry for entry in (*mine, *blocked)}
        self._failpoint("claimed")
        self._concluded += [(entry, verdicts.given_back(_BLOCKED, self._clock(), entry)) for entry in blocked]
        for together in batches(mine, self._channel.capabilities):
            task = asyncio.create_task(self._send(together))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _held(self, worker: str, claimed: list[Entry]) -> Holding:
        """Return which claims are ours; what is claimed must not be forgotten because the ledger cannot be read now."""
        while True:
            try:
                return self._queue.held_by(worker, claimed)
            except UNAVAILABLE as error:
                _log.warning("%s: the ledger cannot be read, trying again: %s", self._name, error)
                await asyncio.sleep(_PAUSE_SECONDS)

    def _let_go(self, recorded: list[Concluded]) -> None:
        del self._concluded[: len(recorded)]
        for entry, _ in recorded:
            self._in_hand.pop(entry.notification, None)

    async def _send(self, entries: Sequence[Entry]) -> None:
        self._failpoint("before_send")
        began = self._clock()
        for entry in entries:
            self._slots.began(entry.notification, began)
        conclusions = await self._attempt(entries, began)
        self._failpoint("sent")
        self._conclude(list(zip(entries, conclusions, strict=True)))
        self._wake.set()

    def _conclude(self, ended: Sequence[Concluded]) -> None:
        now = self._clock()
        for entry, conclusion in ended:
            taken = conclusion.attempted and conclusion.state in _TAKEN
            self._slots.ended(entry.notification, now, taken=taken, together=len(ended))
            if conclusion.state is _SENT:
                self._breaker.accepted()
            if conclusion.pause_until is not None:
                self._breaker.refused(now, conclusion.pause_until, conclusion.refusal)
        self._metrics.rests.labels(self._name, "").set(self._breaker.refusals > 0)
        for state, count in Counter(each.state for _, each in ended if each.attempted).items():
            self._metrics.deliveries.labels(self._name, state.value).inc(count)
        self._concluded += ended

    async def _attempt(self, entries: Sequence[Entry], now: int) -> list[Conclusion]:
        if self._breaker.is_open(now) and all(
            verdicts.is_late(verdicts.counted_from(entry, entry.at), now) for entry in entries
        ):
            return [verdicts.given_up(entry, self._breaker.reason) for entry in entries]
        return await self._dispatch.send_all(
            self._channel, entries, self._random, self._breaker.refusals, self._may_send
        )

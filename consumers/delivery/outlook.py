"""What a sender sees when it looks at its channel's ledger: what to claim, what waits in vain, and when to look again.

It asks the ledger and changes nothing.
"""

from collections.abc import Collection, Container, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from consumers.delivery import verdicts
from consumers.delivery.breaker import Breaker
from consumers.delivery.channel import Capabilities
from consumers.delivery.doubts import Doubts
from consumers.delivery.leases import Membership
from consumers.delivery.limiter import Limiter, micros_of
from consumers.delivery.orphans import Orphans
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.recording import Concluded
from consumers.delivery.slots import Slots
from streams.runtime.clock import Clock

IDLE_SECONDS = 5.0
MOST_RESULTS = 2_000
_HELP_AFTER = 5_000_000
"""Microseconds after which what is due is anybody's: whoever should look after it is gone, or has too much to do."""
_BUSY_SECONDS = 0.25


class Vain(NamedTuple):
    """What waits in vain: how it ``ended``, and of which requests (``asked``) the provider is to be asked first."""

    ended: list[Concluded]
    asked: Sequence[Sequence[Entry]]


class Outlook:
    """One sender's. All methods raise what ``DeliveryQueue`` raises."""

    def __init__(
        self,
        channel: Capabilities,
        queue: DeliveryQueue,
        membership: Membership,
        clock: Clock,
        breaker: Breaker,
        limiter: Limiter,
        slots: Slots,
    ) -> None:
        self._channel = channel
        self._name = channel.name
        self._queue = queue
        self._membership = membership
        self._clock = clock
        self._breaker = breaker
        self._limiter = limiter
        self._slots = slots
        self._doubts = Doubts(channel, queue)
        self._orphans = Orphans(channel, queue, membership, clock)

    def due(self, in_hand: Collection[str], *, further: bool) -> list[Entry]:
        """Return what is to be claimed, as much as there is place for beside what is ``in_hand``.

        With ``further`` claims on their way the queue still names what they claim.
        """
        now = self._clock()
        free = min(self._channel.claim, self._slots.free(now, len(in_hand)))
        if free <= 0 or not self._membership.is_valid:
            return []
        share = self._membership.share
        many = free + (len(in_hand) if further else 0)
        found = self._queue.next(self._name, now, many, share)
        if not found and share.count > 1:
            found = self._queue.next(self._name, now - _HELP_AFTER, many)
        found = [entry for entry in found if entry.notification not in in_hand][:free]
        if self._breaker.is_open(now):
            return [entry for entry in found if verdicts.is_late(verdicts.counted_from(entry, entry.at), now)]
        found = found[: self._breaker.admits(now, len(found), len(in_hand))]
        return found[: self._limiter.take(len(found))]

    def in_vain(self, ours: Container[str]) -> Vain:
        """Return what waits behind a newer update, or in the hands of who is gone; ``ours`` we know better."""
        if not self._membership.is_valid:
            return Vain([], ())
        now, share, worker = self._clock(), self._membership.share, self._membership.worker
        overtaken = self._queue.overtaken(self._name, MOST_RESULTS, share)
        waiting = [each for each in overtaken if each.entry.notification not in ours]
        sorted_out = self._doubts.sort(waiting, now, may_ask=not self._breaker.is_open(now))
        ended = [
            # In our own name: a claim that we have not heard of yet stands above it.
            (replace(each.entry, worker=worker), verdicts.superseded(each))
            for each in sorted_out.ended
        ]
        return Vain([*ended, *self._orphans.look(ours)], sorted_out.asked)

    def orphans(self) -> list[Concluded]:
        """Return what an earlier life had claimed and not recorded, some of it at a time."""
        return self._orphans.look(())

    def seconds(self, in_hand: int) -> float:
        """Return for how many seconds there is nothing to claim, as far as is known now."""
        due = self._queue.due_at(self._name)
        now = self._clock()
        if due is not None and self._slots.free(now, in_hand) > 0:
            # What is due already waits for something in hand; that wakes the sender when it ends.
            start = max(due, self._breaker.until, now + micros_of(self._limiter.pause()))
            return min(IDLE_SECONDS, max(0.0, (start - now) / 1_000_000)) if start > now else _BUSY_SECONDS
        if due is not None and (more_at := self._slots.more_at()) is not None:
            return min(IDLE_SECONDS, max(0.0, (more_at - now) / 1_000_000))
        return IDLE_SECONDS

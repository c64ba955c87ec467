"""Claims without a sender: finds them again and again, and says what is to be recorded of them. It records nothing."""

from collections.abc import Container
from math import inf
from random import SystemRandom

from consumers.delivery import verdicts
from consumers.delivery.channel import Capabilities
from consumers.delivery.leases import Membership
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.recording import Concluded
from consumers.delivery.verdicts import Conclusion
from streams.runtime.clock import Clock

_MOST = 500
_ORPHANED = "the sender ended between the claim and its record"
_UNSEEN = "its claim was not seen through"


class Orphans:
    """Looks for them as often as a lease is renewed; the first of the living speaks for the dead, each for itself."""

    def __init__(self, channel: Capabilities, queue: DeliveryQueue, membership: Membership, clock: Clock) -> None:
        self._channel = channel
        self._queue = queue
        self._membership = membership
        self._clock = clock
        self._random = SystemRandom()
        self._looked = -inf

    def look(self, in_hand: Container[str]) -> list[Concluded]:
        """Return what is in nobody's hands though it is claimed, at most 500; ``in_hand`` are the caller's own.

        Nothing where it is not yet time to look again. Raises what ``DeliveryQueue`` raises.
        """
        moment = self._membership.now()
        if moment - self._looked < self._membership.pause:
            return []
        claimed = [
            entry for entry in self._queue.claimed(self._channel.name, _MOST) if entry.notification not in in_hand
        ]
        found = [(entry, ended) for entry in claimed if (ended := self._ended(entry)) is not None]
        if len(found) < _MOST:
            self._looked = moment
        return found

    def _ended(self, entry: Entry) -> Conclusion | None:
        now = self._clock()
        if entry.worker == self._membership.worker:
            waits = verdicts.given_back(_UNSEEN, now)
            return verdicts.after_doubt(waits) if self._may_have_left(entry) else waits
        if self._membership.share.index or not self._membership.is_gone(entry.worker):
            return None
        return verdicts.doubt(
            _ORPHANED,
            attempts=entry.attempts,
            now=now,
            asks_again=self._channel.idempotent,
            random=self._random,
            asked_after=self._channel.asked_after,
        )

    def _may_have_left(self, entry: Entry) -> bool:
        """Whether an attempt before this claim may be in doubt: a claim does not tell what it took up.

        Where what is in doubt is never taken up again, no claim did so. A wrong yes costs no more than another question.
        """
        return entry.attempts > 1 and (self._channel.idempotent or self._channel.asks)

"""A channel each of whose hosts is a provider of its own: a slow one holds few places, and the others do not wait for it.

What is over a host's places waits a moment for one, unless the host is known to be slow, and is then put off: nothing was
tried, and it takes no slot of the sender meanwhile. It knows no vendor and keeps nothing that the log does not know, but for how fast hosts were.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from consumers.delivery.channel import AskableChannel, Channel, Message
from consumers.delivery.outcome import Finding, Outcome, Retry
from consumers.delivery.rates import Destination
from consumers.delivery.slots import CAUTION, LINGERS, PATIENCE, Lingering

CROWDED = "as many messages as it may have are under way to this host"
FULL = "too many messages are under way to slow hosts"
_QUICK_SECONDS = LINGERS / 1_000_000
_LEAST_WAIT = 0.25
"""A host that was slow for a moment, or seemed so because we were, is no reason to be late by more than that."""
_MOST_WAIT = 60.0
_PACE = 0.02
"""Seconds between those that wait because too many are under way in all."""
_REMEMBERED = 10_000


class _Host:
    """What is known of one host: what is under way to it, how long it takes, and when the last one that waits comes again."""

    def __init__(self) -> None:
        self.under_way = Lingering(_QUICK_SECONDS)
        self.usual: float | None = None
        self.last_slot = 0.0

    def is_quick(self, now: float) -> bool:
        """Whether it answers quickly, as far as is known; one that is silent for too long at this moment does not."""
        return self.usual is not None and not self.is_slow(now)

    def is_slow(self, now: float) -> bool:
        """Whether it is known not to answer quickly; of one that was never asked nothing is known."""
        return bool(self.under_way.count(now)) or (self.usual is not None and self.usual >= _QUICK_SECONDS)

    def seconds(self, now: float) -> float:
        """Return how long a message to it takes, as far as is known: at least as long as one that is under way takes already."""
        oldest = self.under_way.oldest()
        return max(self.usual or 0.0, 0.0 if oldest is None else now - oldest)


class Hosts:
    """Who may go to which host now. Pure: ``now`` is in seconds of any clock that does not go back.

    A quick host may have ``most`` under way, a slow or unknown one an eighth; and while ``PATIENCE`` times ``most`` linger
    in all, nothing goes to a host that is not known to be quick.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[str, _Host] = OrderedDict()
        self._under_way = Lingering(_QUICK_SECONDS)
        self._last_slot = 0.0

    def enter(self, host: str, key: str, now: float) -> bool:
        """Take a place at a host for the message ``key``; return whether there is one."""
        if self.obstacle(host, now):
            return False
        self._of(host).under_way.began(key, now)
        self._under_way.began(key, now)
        return True

    def obstacle(self, host: str, now: float) -> str:
        """Return why nothing more may go to a host now; empty: it may."""
        known = self._of(host)
        is_quick = known.is_quick(now)
        if len(known.under_way) >= (self._most if is_quick else max(1, self._most // CAUTION)):
            return CROWDED
        return FULL if not is_quick and self._under_way.count(now) >= PATIENCE * self._most else ""

    def may_clear(self, host: str, now: float) -> bool:
        """Return whether it is worth while to wait a moment for a place."""
        return self.obstacle(host, now) == CROWDED and not self._of(host).is_slow(now)

    def leave(self, host: str, key: str, now: float) -> None:
        """Give the place back."""
        known = self._of(host)
        began = known.under_way.ended(key)
        self._under_way.ended(key)
        if began is not None:
            seconds = now - began
            known.usual = seconds if known.usual is None else known.usual + (seconds - known.usual) / CAUTION

    def wait(self, host: str, now: float) -> float:
        """Return in how many seconds one that found no place should come again: each at another time, at the host's pace."""
        known, most = self._of(host), now + _MOST_WAIT
        if self.obstacle(host, now) == FULL:
            at = self._last_slot = min(most, max(now + _LEAST_WAIT, self._last_slot + _PACE))
        else:
            seconds = known.seconds(now)
            soonest, step = now + max(_LEAST_WAIT, seconds), seconds / max(1, self._most // CAUTION)
            at = known.last_slot = min(most, max(soonest, known.last_slot + step))
        return at - now

    def _of(self, host: str) -> _Host:
        known = self._known.get(host)
        if known is None:
            self._forget()
            known = self._known[host] = _Host()
        self._known.move_to_end(host)
        return known

    def _forget(self) -> None:
        while len(self._known) >= _REMEMBERED:
            host, known = self._known.popitem(last=False)
            if len(known.under_way):  # it is not forgotten while something is under way to it
                self._known[host] = known
                return


class HostsChannel:
    """Implements ``Channel`` and ``AskableChannel`` around another that does and whose addresses are URLs; for one event loop."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.capabilities = channel.capabilities
        self._hosts = Hosts(channel.capabilities.claim)
        self._waiting: dict[str, dict[str, asyncio.Future[None]]] = {}

    def validate(self, address: str) -> str:
        return self._channel.validate(address)

    def mask(self, address: str) -> str:
        return self._channel.mask(address)

    async def send(self, message: Message) -> Outcome:
        host, key = Destination.HOST.of(message.endpoint.address), message.notification
        if not await self._place(host, key):
            now = self._now()
            reason = self._hosts.obstacle(host, now) or CROWDED
            return Retry(reason, timedelta(seconds=self._hosts.wait(host, now)), attempted=False)
        try:
            return await self._channel.send(message)
        finally:
            self._leave(host, key)

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Ask at once: a question reaches no host."""
        return await cast(AskableChannel, self._channel).find(messages)

    async def close(self) -> None:
        await self._channel.close()

    async def _place(self, host: str, key: str) -> bool:
        """Take a place, waiting for one as long as a quick host takes to answer; return whether there was one."""
        if self._hosts.enter(host, key, self._now()):
            return True
        if not self._hosts.may_clear(host, self._now()):
            return False
        waiting = self._waiting.setdefault(host, {})
        place = waiting[key] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((place,), timeout=_QUICK_SECONDS)
        except asyncio.CancelledError:
            if place.done():
                self._leave(host, key)
            raise
        finally:
            waiting.pop(key, None)
            if not waiting and self._waiting.get(host) is waiting:
                del self._waiting[host]
        return place.done()

    def _leave(self, host: str, key: str) -> None:
        """Give a place back, to those that wait for it."""
        self._hosts.leave(host, key, self._now())
        waiting = self._waiting.get(host, {})
        while waiting:
            other = next(iter(waiting))
            if not self._hosts.enter(host, other, self._now()):
                return
            waiting.pop(other).set_result(None)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def kept_apart(channel: Channel) -> Channel:
    """Return the channel, its hosts kept apart if each of them is a provider of its own."""
    return HostsChannel(channel) if channel.capabilities.limits.counts_by is Destination.HOST else channel

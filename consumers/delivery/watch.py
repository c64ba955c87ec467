"""Notes how the senders of this process stand, as they find out. It decides nothing, and is read from other threads."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from consumers.delivery.breaker import Breaker
from consumers.delivery.conditions import LATELY, Condition, HeldBack, Rest
from consumers.delivery.limiter import Limiter, micros_of
from schemas.events import Micros
from streams.runtime.clock import Clock

_BY_ITSELF = "destination"
"""The limit over which each message waits for a time of its own."""


class Watch:
    """Implements ``Conditions`` for one process. It tells of those that it was to ``look_at``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._limiters: dict[str, Limiter] = {}
        self._providers: dict[str, dict[str, Rest | None]] = defaultdict(dict)
        self._held: dict[str, dict[str, HeldBack]] = defaultdict(dict)

    def look_at(self, channel: str, breaker: Breaker, limiter: Limiter) -> None:
        """Look at the sender of ``channel`` from now on: at what it knows of refusals and of limits."""
        self._limiters[channel] = limiter
        self._breakers[channel] = breaker

    def rests(self, channel: str, provider: str, rest: Rest | None) -> None:
        """Note that one of a channel's providers rests; None: that it is there, and well."""
        self._providers[channel][provider] = rest

    def holds(self, channel: str) -> Callable[[str], None]:
        """Return what a limiter of ``channel`` calls when a limit holds something back."""

        def held(limit: str) -> None:
            now = self._clock()
            known = self._held[channel].get(limit)
            if known is None or known.last + LATELY < now:
                known = HeldBack(limit, now, now, 0)
            self._held[channel][limit] = msgspec.structs.replace(known, last=now, times=known.times + 1)

        return held

    def all(self) -> Sequence[Condition]:
        return [self._condition(channel, breaker) for channel, breaker in list(self._breakers.items())]

    def _condition(self, channel: str, breaker: Breaker) -> Condition:
        now = self._clock()
        own = breaker.rest()
        providers = dict(self._providers[channel])
        rests = [rest for rest in (own, *providers.values()) if rest is not None]
        pause = micros_of(self._limiters[channel].pause())
        held = tuple(_until(one, now, pause) for one in list(self._held[channel].values()))
        return Condition(channel, now, tuple(rests), held, tuple(providers))


def _until(held: HeldBack, now: Micros, pause: Micros) -> HeldBack:
    until = 0 if held.limit == _BY_ITSELF or not pause else now + pause
    return msgspec.structs.replace(held, until=until)

"""How many notifications a sender takes in hand. Pure: who asks says what time it is.

What is in hand when the process dies is in doubt, so a slow provider is given little at once. Where each host is a provider
of its own (webhooks), how fast one of them is says nothing of the next: there what has been under way for long is counted
apart, up to a bound of its own, and takes no place of what is quick. ``hosts`` keeps any one of them from filling that bound.
"""

from typing import Protocol

from consumers.delivery.channel import Capabilities
from consumers.delivery.rates import Destination
from schemas.events import Micros

QUICK: Micros = 100_000
"""Microseconds within which a quick provider answers."""
LINGERS: Micros = 250_000
"""Microseconds after which a message to one of many hosts lingers. More than ``QUICK``: a claim's worth of messages to as
many hosts takes a busy sender that long by itself, and no host is to blame for it."""
CAUTION = 8
"""A slow provider, or a host that is slow or unknown, is given that part of what a quick one is given."""
PATIENCE = 4
"""How many times a claim may linger, where each host is a provider of its own."""


def most_in_hand(claim: int) -> int:
    """Return how many a sender has in hand at the most, where each host is a provider of its own."""
    return claim * (1 + PATIENCE)


class Lingering:
    """Which of those under way have been so for ``after`` or longer, in the unit of the clock of whoever asks."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def began(self, key: str, now: float) -> None:
        """Note that something began; times must not go back by much."""
        self._young[key] = now

    def ended(self, key: str) -> float | None:
        """Note that it ended, and return when it had begun; None for what is not known."""
        began = self._young.pop(key, None)
        return self._old.pop(key, None) if began is None else began

    def count(self, now: float) -> int:
        """Return how many linger."""
        while self._young and (first := next(iter(self._young))) and self._young[first] <= now - self._after:
            self._old[first] = self._young.pop(first)
        return len(self._old)

    def oldest(self) -> float | None:
        """Return when the oldest of all began."""
        return next(iter(self._old.values()), next(iter(self._young.values()), None))

    def next_at(self) -> float | None:
        """Return when the next one will linger."""
        return next((began + self._after for began in self._young.values()), None)


class Slots(Protocol):
    """How many more may be taken in hand."""

    def free(self, now: Micros, in_hand: int) -> int:
        """Return how many more, where ``in_hand`` are; it may be less than none."""

    def more_at(self) -> Micros | None:
        """Return when there may be more without anything having ended; None: not before."""

    def began(self, notification: str, now: Micros) -> None:
        """Note that a message is on its way."""

    def ended(self, notification: str, now: Micros, *, taken: bool, together: int = 1) -> None:
        """Note that it ended; ``taken`` says that the provider took it, or may have, ``together`` how many shared a request."""


class OneProvider:
    """Implements ``Slots`` where all go to one provider: all of ``claim`` while it is quick, an eighth while it is not.

    How long a message takes is its share of its request's time: a thousand in half a second are quick.
    """

    def __init__(self, claim: int) -> None:
        self._claim = claim
        self._usual: float = QUICK
        self._began: dict[str, Micros] = {}

    def free(self, now: Micros, in_hand: int) -> int:
        return (self._claim if self._usual < QUICK else max(1, self._claim // CAUTION)) - in_hand

    def more_at(self) -> Micros | None:
        return None

    def began(self, notification: str, now: Micros) -> None:
        self._began[notification] = now

    def ended(self, notification: str, now: Micros, *, taken: bool, together: int = 1) -> None:
        began = self._began.pop(notification, now)
        if taken:  # how fast a provider refuses says nothing of how fast it accepts
            self._usual += ((now - began) / together - self._usual) / CAUTION


class ManyHosts:
    """Implements ``Slots`` where each host is a provider of its own: ``claim`` of those under way that do not linger."""

    def __init__(self, claim: int) -> None:
        self._claim = claim
        self._under_way = Lingering(LINGERS)

    def free(self, now: Micros, in_hand: int) -> int:
        lingering = self._under_way.count(now)
        return min(self._claim - (in_hand - lingering), most_in_hand(self._claim) - in_hand)

    def more_at(self) -> Micros | None:
        at = self._under_way.next_at()
        return None if at is None else int(at)

    def began(self, notification: str, now: Micros) -> None:
        self._under_way.began(notification, now)

    def ended(self, notification: str, now: Micros, *, taken: bool, together: int = 1) -> None:
        self._under_way.ended(notification)


def slots_of(capabilities: Capabilities) -> Slots:
    """Return the slots of a channel."""
    if capabilities.limits.counts_by is Destination.HOST:
        return ManyHosts(capabilities.claim)
    return OneProvider(capabilities.claim * capabilities.claims)

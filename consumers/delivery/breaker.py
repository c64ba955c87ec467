"""When a channel that refuses everything is tried again: pure. What is refused meanwhile it does not know."""

from datetime import timedelta

from consumers.delivery.conditions import Rest
from schemas.events import Micros

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)


def pause(refusals: int) -> timedelta:
    """Return the rest after the ``refusals``-th refusal in a row: doubling from a minute to half an hour."""
    longest: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(refusals - 1, 20))
    return longest


class Breaker:
    """One sender's view of its channel. What is refused while it rests already counts once, however much was in hand."""

    def __init__(self) -> None:
        self.refusals = 0
        self.since: Micros = 0
        self.until: Micros = 0
        self.reason = ""

    def rest(self, provider: str = "") -> Rest | None:
        """Return since when and why it refuses us; None where it does not, as far as is known."""
        if self.refusals == 0:
            return None
        return Rest(self.since, self.until, self.refusals, self.reason, provider)

    def is_open(self, now: Micros) -> bool:
        """Whether the channel rests."""
        return now < self.until

    def admits(self, now: Micros, wanted: int, in_hand: int) -> int:
        """Return how many of ``wanted`` may be tried now: none while it rests, and then one until that has ended well."""
        if self.refusals == 0:
            return wanted
        return 0 if self.is_open(now) or in_hand else min(1, wanted)

    def refused(self, now: Micros, until: Micros, reason: str) -> None:
        """Note that the channel refused us."""
        if not self.is_open(now):
            self.since = self.since if self.refusals else now
            self.refusals += 1
            self.until, self.reason = until, reason

    def accepted(self) -> None:
        """Note that the channel took something."""
        self.refusals, self.until = 0, 0

"""What is said in a history, and on which roads; values only."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.events import AnyEvent, Micros
from streams.log.port import Record, record_of


class Said(NamedTuple):
    """One event for both engines.

    ``remembered`` ones come through the publisher of commands, which in a fleet looks ids up as the embedded log does
    by itself. Of the others Kafka gets ``times`` copies, one behind the other.
    """

    event: AnyEvent
    remembered: bool = False
    times: int = 1
    at: tuple[str, str] | None = None
    """Topic and key of a timer; all else has its own."""

    @property
    def record(self) -> Record:
        """The event as a log takes it."""
        topic, key = self.at or (None, None)
        return record_of(self.event, topic=topic, key=key)


class Round(NamedTuple):
    """What happens at one moment. ``chains`` are in an order of their own each, and in any order among each other."""

    now: Micros
    chains: Sequence[Sequence[Said]]

    @property
    def said(self) -> list[Said]:
        """All of it, in the order of this telling."""
        return [each for chain in self.chains for each in chain]

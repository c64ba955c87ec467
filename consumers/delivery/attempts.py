"""What a sender asks of whoever tries: the port between the loop that claims and records, and what is said to whom."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from consumers.delivery.ahead import NOTHING, Found
from consumers.delivery.channel import Channel
from consumers.delivery.queue import Entry
from consumers.delivery.verdicts import Conclusion


class Attempts(Protocol):
    """Tries to send entries and concludes (``Dispatch``; ``SwitchedOff`` for a channel that is not sent on)."""

    async def send_all(
        self,
        channel: Channel,
        entries: Sequence[Entry],
        random: Random,
        refusals: int,
        may_send: Callable[[Entry], bool],
        ahead: Found = NOTHING,
    ) -> list[Conclusion]:
        """Try each once, all with one request where there are several; never raises for what goes wrong on the way.

        ``ahead`` is what ``look_ahead`` found a moment ago.
        """

    def look_ahead(self, entries: Sequence[Entry]) -> Found:
        """Return what several requests need to know, asked for once; never raises."""

    def companions(self, channel: Channel, chosen: Sequence[Entry]) -> list[Entry]:
        """Return what waits for the same endpoints as any of ``chosen`` and may go out with them as one message."""

"""What becomes of the notifications of a channel that is switched off: they end, with that as the reason. It sends nothing."""

from collections.abc import Callable, Sequence
from random import Random

from consumers.delivery.ahead import NOTHING, Found
from consumers.delivery.channel import Capabilities, Channel, ConfirmBy, Message
from consumers.delivery.outcome import Outcome, Rejected, Scope
from consumers.delivery.queue import Entry
from consumers.delivery.verdicts import Conclusion, after_doubt
from schemas.vocabulary import NotificationState

REASON = "the channel is switched off"
_CLAIM = 1_000


class SwitchedOffChannel:
    """Stands in for a channel without settings, so that a sender can take what waits for it."""

    def __init__(self, name: str) -> None:
        self.capabilities = Capabilities(
            name, name, "", "", idempotent=False, confirm_by=ConfirmBy.OPERATOR, claim=_CLAIM
        )

    def validate(self, address: str) -> str:
        return address

    def mask(self, address: str) -> str:
        return "***"

    async def send(self, message: Message) -> Outcome:
        return Rejected(Scope.MESSAGE, REASON)

    async def close(self) -> None: ...


class SwitchedOff:
    """Implements ``Attempts``: every attempt is suppressed; what is in doubt stays so and is not asked again."""

    async def send_all(
        self,
        channel: Channel,
        entries: Sequence[Entry],
        random: Random,
        refusals: int,
        may_send: Callable[[Entry], bool],
        ahead: Found = NOTHING,
    ) -> list[Conclusion]:
        ended = Conclusion(NotificationState.SUPPRESSED, REASON)
        return [after_doubt(ended) if entry.state == NotificationState.IN_DOUBT else ended for entry in entries]

    def look_ahead(self, entries: Sequence[Entry]) -> Found:
        return NOTHING

    def companions(self, channel: Channel, chosen: Sequence[Entry]) -> list[Entry]:
        return []

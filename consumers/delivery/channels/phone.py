"""What text messages and calls have in common: numbers of allowed countries, Twilio's API, operators who add. It composes nothing."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.twilio import TwilioSettings
from consumers.delivery.outcome import Finding, Rejected, Scope, Unknown
from consumers.delivery.rates import Limits
from schemas.ids import derive


class PhoneChannel(ABC):
    """The part of a channel that has to do with numbers; ``use`` is a member of ``phones.Use`` by its name."""

    def __init__(
        self,
        name: str,
        title: str,
        use: str,
        settings: TwilioSettings,
        context: ChannelContext,
        timeout: float,
        limits: Limits,
        *,
        codes_a_day: int = 0,
    ) -> None:
        from consumers.delivery.net.twilio_api import TwilioApi  # noqa: PLC0415 -- only those who switch it on pay for the SDK
        from consumers.delivery.phones import Phones, Use, masked  # noqa: PLC0415 -- as above

        self._masked = masked
        self._phones: Any = Phones(settings.countries, Use[use])
        self._twilio: Any = TwilioApi(settings, context.now, timeout)
        self.capabilities = Capabilities(
            name=name,
            title=title,
            address_field="phone",
            address_hint=self._phones.example(),
            idempotent=False,
            confirm_by=ConfirmBy.CODE if codes_a_day else ConfirmBy.OPERATOR,
            combines=True,
            claim=min(4 * settings.connections, 1000),
            asked_after=timedelta(seconds=settings.ask_after),
            limits=limits,
            waits_together=True,
            codes_a_day=codes_a_day,
            account=derive("twilio", settings.account_sid),
        )

    def validate(self, address: str) -> str:
        """Return the number in E.164; raises AddressError."""
        return str(self._phones.canonical(address))

    def mask(self, address: str) -> str:
        return self._masked(address)

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Look for each among what Twilio lists for its number (``AskableChannel``)."""
        return [await self._looked_for(message) for message in messages]

    async def close(self) -> None:
        await self._twilio.close()

    async def _looked_for(self, message: Message) -> Finding:
        number = self._number(message.endpoint.address)
        return (
            Unknown(number.reason, final=True) if isinstance(number, Rejected) else await self._found(message, number)
        )

    @abstractmethod
    async def _found(self, message: Message, number: str) -> Finding:
        """Return what Twilio lists of a message to a number."""

    def _number(self, address: str) -> str | Rejected:
        """Return the number to be used now. The settings may have changed since: nothing is said against the number itself."""
        try:
            return self.validate(address)
        except AddressError as error:
            return Rejected(Scope.MESSAGE, str(error))

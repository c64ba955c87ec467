"""What a channel is: it describes itself, validates an address, and sends one rendered notice."""

from typing import Protocol

import msgspec

from consumers.delivery.outcome import Outcome
from schemas.events import Notice


class AddressError(ValueError):
    """An address that this channel cannot take; the message says why, without the address."""


class Endpoint(msgspec.Struct, frozen=True):
    """A decrypted address. ``address`` is what a person typed; ``secret`` signs webhooks (empty elsewhere)."""

    address: str
    secret: str = ""


class Message(msgspec.Struct, frozen=True):
    """One notice for one endpoint, with the links that are made for this subscriber alone.

    ``notification`` is its id and stays the same over all attempts. ``token`` is the challenge that a webhook echoes.
    A confirmation without a ``confirm_url`` tells a known address that it is subscribed already. ``over`` says that the
    opening was never sent to this endpoint: one note tells that it happened and is over. ``drill`` marks a rehearsal.
    """

    notification: str
    notice: Notice
    endpoint: Endpoint
    unsubscribe_url: str
    confirm_url: str = ""
    token: str = ""
    over: bool = False
    drill: bool = False


class Capabilities(msgspec.Struct, frozen=True):
    """What a channel can do; the form, the validation and the docs follow it.

    ``idempotent`` says that sending a message a second time under the same notification id does no harm, so that a
    message in doubt is sent again. ``claim`` is the most notifications that one claim should take.
    """

    name: str
    title: str
    address_field: str
    address_hint: str
    idempotent: bool
    confirm_by: str
    claim: int


class Channel(Protocol):
    """A way to reach a subscriber. Instances are made once from the configuration and used by many tasks at once."""

    capabilities: Capabilities

    def validate(self, address: str) -> str:
        """Return the address in its canonical form; raises AddressError. No I/O."""

    def mask(self, address: str) -> str:
        """Return the address so that its owner recognises it and others do not."""

    async def send(self, message: Message) -> Outcome:
        """Try once, within a bounded time. Never raises for what a provider or the network does."""

    async def close(self) -> None:
        """Release connections."""

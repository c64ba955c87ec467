"""What a channel is: it describes itself, validates an address, and sends one rendered notice."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

import msgspec

from consumers.delivery.outcome import Finding, Outcome
from consumers.delivery.rates import Limits
from schemas.events import Notice


class AddressError(ValueError):
    """An address that this channel cannot take; the message says why, without the address."""


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """A decrypted address. ``address`` is what a person typed; ``secret`` signs webhooks (empty elsewhere)."""

    address: str
    secret: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One notice for one endpoint, with the links that are made for this subscriber alone.

    ``notification`` is its id and stays the same over all attempts. ``token`` is the challenge that a webhook echoes,
    ``code`` what its owner types.
    A confirmation without a ``confirm_url`` brings the ``manage_url`` that its subscriber asked for; a notice has one,
    too, where the subscriber may choose what they hear of. ``over`` says that the
    opening was never sent to this endpoint: one note tells that it happened and is over. ``drill`` marks a rehearsal.
    ``earlier`` are the receipts (``Sent.receipt``) of what was sent to this endpoint about the same subject before,
    oldest first: a channel may reply to them, or update them. It is filled for channels that declare ``threads``; what
    was sent without a receipt, failed afterwards or is in doubt is not among them.
    ``in_doubt`` says that an attempt under this id may have arrived: a provider that calls this one a repetition has it.
    ``others`` are, for channels whose provider is asked, the receipts of all else that was sent to this endpoint about the
    subject: what the provider has under one of those is not this message.
    ``combinable`` says that the attempt in doubt may have been one message together with others, in other words than this one.
    """

    notification: str
    notice: Notice
    endpoint: Endpoint
    unsubscribe_url: str
    confirm_url: str = ""
    manage_url: str = ""
    code: str = ""
    token: str = ""
    over: bool = False
    drill: bool = False
    earlier: tuple[str, ...] = ()
    in_doubt: bool = False
    combinable: bool = False
    others: tuple[str, ...] = ()


class ConfirmBy(StrEnum):
    """How an endpoint becomes active after a sign-up.

    ``link``: its owner is sent a link and follows it. ``challenge``: it echoes a token when it is asked. ``code``: its
    owner types a code that is sent to it, on the page of a subscription that a mail confirmed. ``operator``:
    neither can be asked of it (a feed, a shared room, a paging service), so only an operator may add it, as confirmed.
    """

    LINK = "link"
    CHALLENGE = "challenge"
    CODE = "code"
    OPERATOR = "operator"


class Capabilities(msgspec.Struct, frozen=True):
    """What a channel can do; the form, the validation and the docs follow it.

    ``idempotent`` says that sending a message a second time under the same notification id does no harm, so that a
    message in doubt is sent again. ``claim`` is the most notifications that one claim should take. ``threads`` says that
    ``Message.earlier`` is used: it costs a look into the ledger for each message. ``batch`` is the most messages that
    ``BatchChannel.send_all`` takes; a channel without it has 1. ``claims`` is how many claims may be in hand at once: more
    than 1 where so much fits into a request that one should be prepared while others are on their way. ``limits`` is what the
    vendor allows, unless an operator knows better. ``combines`` says that people read what comes, so that several messages may
    go out as one that lists them. ``asked_after`` is for a provider that can be asked what it has
    (``AskableChannel``): how long after an attempt it surely tells of what it took. None: nobody can be asked.
    ``codes_a_day`` is how many people may be sent a code (``ConfirmBy.CODE``). ``waits_together`` says that a time at which the
    provider wants to be asked again is meant for the whole account, and not for one address. ``account`` is what that account is
    called where another channel may have the same; it is no secret. ``browser_key`` is the public key with which a browser
    subscribes (base64url), where browsers are what it reaches. ``own_servers`` says that each address is a server of its
    subscriber's own, so that what keeps failing there says something of that address. ``posts_publicly`` says that everybody
    reads what is sent, so that nothing internal is.
    """

    name: str
    title: str
    address_field: str
    address_hint: str
    idempotent: bool
    confirm_by: ConfirmBy
    claim: int
    threads: bool = False
    batch: int = 1
    claims: int = 1
    limits: Limits = Limits()
    combines: bool = False
    asked_after: timedelta | None = None
    codes_a_day: int = 0
    waits_together: bool = False
    account: str = ""
    browser_key: str = ""
    own_servers: bool = False
    posts_publicly: bool = False

    @property
    def asks(self) -> bool:
        """Whether the provider is asked about what is in doubt; where sending it again does no harm, nobody need be."""
        return self.asked_after is not None and not self.idempotent


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


class BatchChannel(Channel, Protocol):
    """A channel whose provider takes many messages with one request; ``capabilities.batch`` is more than 1."""

    async def send_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Try each once, within a bounded time that does not grow with their number. Never raises, like ``send``.

        Takes 1 to ``capabilities.batch`` messages of any notices. Returns one outcome for each, in their order. What a
        provider says of the request as a whole is the outcome of each: a request that left and was not answered puts all
        in doubt, so whoever calls chooses how many share that fate. A request that is refused because of one message
        rejects that one for its own reason; the others are ``Retry``, or tried apart before this returns.
        """


class AskableChannel(Channel, Protocol):
    """A channel whose provider can be asked what it has; ``capabilities.asked_after`` is set."""

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Ask what became of each message, within a bounded time; sends nothing and never raises, like ``send``.

        Takes 1 to ``capabilities.batch`` messages, each in doubt for ``capabilities.asked_after`` at least, and returns one
        finding for each, in their order. ``Sent`` and ``Rejected`` say that the provider has it, ``Retry`` that it certainly
        has not (or gave it up): it will be sent again. Whatever leaves room for a doubt is ``Unknown``.
        """

"""The vocabulary of receipts: what a provider posted, and what was understood of it. No I/O here.

A kind of receipt is a ``ReceiptKind``: its name is the last part of ``/receipts/{page}/{name}``, its ``open`` makes a reader
from what a channel's settings say of it. A reader is a pure function of one request to facts; it checks the signature
itself, because every provider signs in its own way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import msgspec

from schemas.events import Micros


class NotAuthenticError(ValueError):
    """A request that the provider did not sign, or not lately: 401, and nothing is written. The message says which."""


class NotUnderstoodError(ValueError):
    """A signed request that is no receipt: 400, and nothing is written. The message says why, without what was sent."""


class What(StrEnum):
    """What a fact does; ``ledger_rules.counts`` has the last word over the notification's state."""

    ACCEPTED = "accepted"
    """The provider has it, which ends a doubt: ``sent``. ``reason`` is the provider's own id, kept as the receipt."""
    DELIVERED = "delivered"
    """It arrived: ``delivered``. ``reason`` as above."""
    FAILED = "failed"
    """The provider took it and it will not arrive: ``failed``; nothing is said against the address."""
    UNREACHED = "unreached"
    """As failed, for a reason that lies at the address and may pass: it counts towards its quarantine (``failing``)."""
    UNREACHABLE = "unreachable"
    """As failed, and the address will never be reached: ``EndpointSuppressed``, as bounced."""
    LEFT = "left"
    """Its recipient wants no more: ``EndpointSuppressed``, as opted out. The notification stays as it is."""
    COMPLAINED = "complained"
    """Its recipient says that it is spam: ``EndpointSuppressed``, as complained. The notification stays as it is."""
    RETURNED = "returned"
    """Its recipient wants to be told again: ``EndpointReinstated``. The notification stays as it is."""


class Fact(msgspec.Struct, frozen=True):
    """One thing that a provider said.

    ``notification`` is the id that the channel gave along. ``reason`` is for operators (no address, nothing secret), or the
    provider's id where ``What`` says so. ``at`` is when it happened by the provider's clock. ``key`` names what was
    said, and is the same however often the provider repeats it. A fact that follows from what a person wrote to us has no
    notification but an ``address``, in the canonical form of the reader's channel; it is ``LEFT``, ``RETURNED`` or
    ``UNREACHABLE``.
    """

    notification: str
    what: What
    reason: str
    at: Micros
    key: str
    address: str = ""


class ReceiptRequest(msgspec.Struct, frozen=True):
    """One request as it arrived. Header names are lower-cased, ``query`` is raw, ``received_at`` is our clock."""

    body: bytes
    headers: Mapping[str, str]
    query: str
    received_at: Micros


Reader: TypeAlias = Callable[[ReceiptRequest], Sequence[Fact]]
"""Returns what a request says, in its order. Pure, quick; raises NotAuthenticError and NotUnderstoodError, nothing else.

What is well understood and says nothing of a notification is left out.
"""


@dataclass(frozen=True)
class Opening:
    """What a reader is made from.

    ``keys`` is what the channel's settings give for this kind of receipt (``ChannelSettings.receipts``): secrets, as text.
    ``url`` is the public address that the provider posts to, without a query; some providers sign it.
    """

    channel: str
    url: str
    keys: Mapping[str, str] = field(repr=False)


class ReceiptKind(msgspec.Struct, frozen=True):
    """A provider whose receipts are understood. ``quiet``: it wants an answer without a body (204), else 202 with counts."""

    name: str
    title: str
    open: Callable[[Opening], Reader]
    quiet: bool = False

"""How an attempt to send can end: four kinds, closed, and each says what follows. And what a provider knows of one in doubt."""

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec


class Scope(StrEnum):
    """What a rejection condemns."""

    MESSAGE = "message"
    RECIPIENT = "recipient"
    CHANNEL = "channel"


class Sent(msgspec.Struct, frozen=True):
    """The provider took the message; ``receipt`` is its own id for it, if it gave one, and ``reply`` what it said."""

    receipt: str = ""
    reply: bytes = b""


class Retry(msgspec.Struct, frozen=True):
    """Certainly not sent; worth another try, after ``after`` where the provider named a time.

    Without ``attempted`` nothing was even tried: it waits for just ``after`` and counts as no attempt. ``soft`` says that what is
    in the way lies at this endpoint alone: given up for that, it counts towards its quarantine (``failing``).
    """

    reason: str
    after: timedelta | None = None
    attempted: bool = True
    soft: bool = False


class Rejected(msgspec.Struct, frozen=True):
    """Certainly not sent, and another try would end the same way.

    ``gone`` says of a recipient that there is nothing at the address any more. ``soft`` is as in ``Retry``.
    """

    scope: Scope
    reason: str
    gone: bool = False
    soft: bool = False


class InDoubt(msgspec.Struct, frozen=True):
    """The request left and no answer came: it may have been sent."""

    reason: str


Outcome: TypeAlias = Sent | Retry | Rejected | InDoubt


class Unknown(msgspec.Struct, frozen=True):
    """Whether the provider has it cannot be told now. ``after`` is the least wait before asking again; ``final``: do not."""

    reason: str
    after: timedelta | None = None
    final: bool = False


Finding: TypeAlias = Sent | Retry | Rejected | Unknown
"""What asking a provider came to: it has the message, it certainly has not, it has it and could not deliver it, or who knows."""

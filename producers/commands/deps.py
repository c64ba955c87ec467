"""What the command API needs of the rest, as ports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from producers.commands.limits import SignUpLimits
from schemas.events import AnyEvent, Filter, Pace
from schemas.vocabulary import Audience, Suppression
from streams.keys.vault import Vault
from streams.runtime.access import Access
from streams.runtime.clock import Clock
from streams.runtime.links import Links
from streams.runtime.notified import Notifications
from streams.runtime.publisher import Publisher
from streams.runtime.views import Views

AT_ONCE = Pace()
Find: TypeAlias = Callable[[str], AnyEvent | None]
"""Looks an event up by its id; may block."""


class Standing(StrEnum):
    """What the fold knows of a subscription, for good but for ``WAITING``: signed up, and not confirmed as far as is known."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REPLACED = "replaced"
    ENDED = "ended"


StandingOf: TypeAlias = Callable[[str, str], Standing | None]
"""Page and subscriber to what the fold knows, None where it knows nothing; may block, and lag behind the log."""


def unsettled(_page: str, _subscriber: str) -> Standing | None:
    """Answer where ``Find`` knows every event that there ever was: the fold need not be asked."""
    return None


@dataclass(frozen=True)
class Door:
    """A channel as a sign-up meets it.

    ``canonical`` returns an address in its one form, without I/O; it raises ValueError, whose message says why and holds no
    address. ``by_operator`` says that nobody can be asked at the address, so that only an operator may add it, as confirmed.
    Where ``codes_a_day`` allows it, a subscriber whose mail address is confirmed may do so, too, by a code that is sent to
    the address; ``country`` names whose it is, for what is counted by country. Who is reached through a channel that
    ``posts_publicly`` cannot be internal.
    """

    canonical: Callable[[str], str]
    by_operator: bool = False
    codes_a_day: int = 0
    country: Callable[[str], str] = str
    posts_publicly: bool = False


@dataclass(frozen=True)
class Known:
    """A subscriber as folded so far; ``suppression`` is why, where its address is suppressed."""

    channel: str
    is_active: bool
    filter: Filter
    state: str = ""
    suppression: Suppression | None = None
    pace: Pace = AT_ONCE
    audience: Audience = Audience.PUBLIC


KnownOf: TypeAlias = Callable[[str, str], Known | None]
"""Page and subscriber to what is folded of them, None for a stranger; may block, and lag behind the log."""


def nobody(_page: str, _subscriber: str) -> Known | None:
    """Answer where no subscriptions are folded."""
    return None


@dataclass(frozen=True)
class CommandDeps:
    """Everything that commands need. ``find`` may forget events after some days; ``standing`` then still knows.

    ``doors`` are the channels that are switched on, by name; email and webhook are taken besides, whether on or off.
    """

    publisher: Publisher
    views: Views
    access: Access
    vault: Vault
    links: Links
    clock: Clock
    find: Find
    notifications: Notifications
    limits: SignUpLimits = field(default_factory=SignUpLimits)
    standing: StandingOf = unsettled
    doors: Mapping[str, Door] = field(default_factory=dict)
    known: KnownOf = nobody

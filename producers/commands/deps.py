"""What the command API needs of the rest, as ports."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from producers.commands.limits import SignUpLimits
from schemas.events import AnyEvent
from streams.keys.vault import Vault
from streams.runtime.access import Access
from streams.runtime.clock import Clock
from streams.runtime.links import Links
from streams.runtime.publisher import Publisher
from streams.runtime.views import Views

Find: TypeAlias = Callable[[str], AnyEvent | None]
"""Looks an event up by its id; may block."""


@dataclass(frozen=True)
class CommandDeps:
    """Everything that commands need."""

    publisher: Publisher
    views: Views
    access: Access
    vault: Vault
    links: Links
    clock: Clock
    find: Find
    limits: SignUpLimits = field(default_factory=SignUpLimits)

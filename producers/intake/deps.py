"""What the intake needs of the rest, as ports: it knows neither the engine of the log nor the key store's file."""

from dataclasses import dataclass
from typing import Protocol

from streams.runtime.clock import Clock
from streams.runtime.instances import Instances
from streams.runtime.metrics import Metrics
from streams.runtime.publisher import Publisher
from streams.runtime.secrets import SourceTokens


class LetterKeys(Protocol):
    """The part of the key store that dead letters are sealed with; both methods may block for a sync to disk."""

    def create(self, owner: str) -> None:
        """Make a key for ``owner`` unless it has one; durable on return."""

    def seal(self, owner: str, plain: bytes) -> bytes:
        """Encrypt for ``owner``."""


@dataclass(frozen=True)
class IntakeDeps:
    """Everything that receiving alerts needs."""

    publisher: Publisher
    instances: Instances
    sources: SourceTokens
    vault: LetterKeys
    clock: Clock
    metrics: Metrics

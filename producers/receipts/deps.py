"""What receipts need of the rest, as ports: neither the engine of the log nor a channel is known here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from producers.receipts.receipt import Reader, ReceiptKind
from streams.runtime.clock import Clock
from streams.runtime.metrics import Metrics
from streams.runtime.notified import Notifications
from streams.runtime.publisher import Publisher


class Owners(Protocol):
    """The part of the key store that knows whose an address is; may block."""

    def find(self, lookup: str) -> list[str]:
        """Return the subscribers that were added with this address."""


@dataclass(frozen=True)
class Listening:
    """A channel of a page whose provider is listened to."""

    page: str
    channel: str
    kind: ReceiptKind
    read: Reader


@dataclass(frozen=True)
class ReceiptDeps:
    """Everything that receiving receipts needs. ``publisher`` should append an id once where the engine can tell."""

    publisher: Publisher
    notifications: Notifications
    owners: Owners
    clock: Clock
    metrics: Metrics
    listening: Sequence[Listening]

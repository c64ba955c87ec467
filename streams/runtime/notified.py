"""What the way in may ask of the ledger without knowing it: whether a notification exists, and whose it is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from schemas.vocabulary import NotificationState


class Notified(msgspec.Struct, frozen=True, gc=False):
    """A notification that was planned; ``state`` as folded so far. Plans, claims and results of it lie in its ``shard``."""

    subscriber: str
    channel: str
    shard: int
    state: NotificationState


class Notifications(Protocol):
    """Looks notifications up. What ever left is known: senders read from the same ledger."""

    def known(self, page: str, notifications: Sequence[str]) -> Mapping[str, Notified]:
        """Return those of some notifications of a page that exist, by id; any text that is valid Unicode may be asked for.

        Blocks for a few round trips at the most. Raises LogUnavailableError (embedded) or StoreUnavailableError.
        """

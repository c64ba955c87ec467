"""Looks subscribers up in the distributed engine's store, as senders and the command API need them. It folds nothing.

The planner reads subscriptions off the log itself, so it may know of a subscriber, or of a confirmation, before the store
does. Whoever would be refused for what the store says is therefore looked at again once the store has caught up.
"""

from collections import defaultdict
from collections.abc import Sequence

from consumers.delivery.subscribers import ACTIVE, PROCESSOR, SUBSCRIBERS, Subscriber
from schemas.topics import SUBSCRIPTIONS, partition_of
from streams.log.port import EventLog
from streams.runtime.partition_state import decoded
from streams.runtime.state_store import Row, StateStore

_SPEC = next(spec for spec in PROCESSOR.tables if spec.name == SUBSCRIBERS)


class NotFoldedError(LookupError):
    """The store has yet to learn what the log says of this subscriber: ask again."""


class StoredSubscribers:
    """Reads single subscribers as folded so far. Blocks; raises StoreUnavailableError."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        """Return a subscriber, None where there is none."""
        row: Row = (SUBSCRIBERS, page, key)
        value = self._store.fetch(PROCESSOR.name, _partition(page, key), [row]).get(row)
        found: Subscriber | None = None if value is None else decoded(_SPEC, value)
        return found

    def some(self, page: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        """Return those of the subscribers that there are by id, with one question."""
        wanted: dict[int, list[Row]] = defaultdict(list)
        for key in keys:
            wanted[_partition(page, key)].append((SUBSCRIBERS, page, key))
        parts = self._store.read(PROCESSOR.name, wanted) if wanted else {}
        return {row[2]: decoded(_SPEC, value) for part in parts.values() for row, value in part.rows.items()}


class FleetSubscribers:
    """Implements ``dispatch.Subscribers``; raises NotFoldedError instead of an answer that may be outdated.

    That somebody was active a moment ago is good enough: who leaves while a message is on its way gets it.
    """

    def __init__(self, store: StateStore, log: EventLog) -> None:
        self._stored = StoredSubscribers(store)
        self._store = store
        self._log = log

    def active(self, page: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        return {key: known for key, known in self._stored.some(page, keys).items() if known.state == ACTIVE}

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        found = self._stored.subscriber(page, key)
        if found is not None and found.state == ACTIVE:
            return found
        partition = _partition(page, key)
        end = self._log.end(SUBSCRIPTIONS.name)[partition]
        if self._store.positions(PROCESSOR.name, partition).get(SUBSCRIPTIONS.name, 0) < end:
            raise NotFoldedError("the subscriber's newest events are not folded yet")
        return self._stored.subscriber(page, key)


def _partition(page: str, key: str) -> int:
    return partition_of(f"{page}/{key}", SUBSCRIPTIONS.partitions)

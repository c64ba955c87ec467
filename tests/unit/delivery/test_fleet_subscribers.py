"""A sender must not refuse anybody for what the store does not know yet."""

import msgspec
import pytest

from consumers.delivery.fleet_subscribers import FleetSubscribers, NotFoldedError, StoredSubscribers
from consumers.delivery.subscribers import ACTIVE, PENDING, PROCESSOR, SUBSCRIBERS, Subscriber
from schemas.events import AnyEvent, Event, Filter, SubscriberRemoved
from schemas.topics import SUBSCRIPTIONS, partition_of
from schemas.vocabulary import Impact
from streams.log.memory import MemoryEventLog
from streams.log.port import record_of
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.state_store import Changes

PLACE = (SUBSCRIPTIONS.name, partition_of("acme/one", SUBSCRIPTIONS.partitions))


def subscriber(state: str) -> Subscriber:
    return Subscriber("one", "email", b"", Filter(None, Impact.NONE, []), state, "", "public", 1)


class World:
    def __init__(self) -> None:
        self.log, self.store = MemoryEventLog(), MemoryStateStore()
        self.asked = FleetSubscribers(self.store, self.log)
        self._position = 0

    def happens(self) -> None:
        data = SubscriberRemoved("one", "operator")
        identifier = f"event-{self.log.end(PLACE[0])[PLACE[1]]}"
        event: AnyEvent = Event(identifier, "acme", 1, 1, "ops", None, None, drill=False, data=data)
        self.log.append([record_of(event)])

    def folds(self, state: str | None) -> None:
        row = None if state is None else msgspec.json.encode(subscriber(state))
        end = self.log.end(PLACE[0])[PLACE[1]]
        changes = Changes(rows={(SUBSCRIBERS, "acme", "one"): row})
        assert self.store.commit(PROCESSOR.name, PLACE, self._position, end, changes)
        self._position = end


def test_who_is_active_is_found_at_once() -> None:
    world = World()
    world.happens()
    world.folds(ACTIVE)
    world.happens()
    assert world.asked.subscriber("acme", "one") == subscriber(ACTIVE), "though something newer lies on the log"
    assert world.asked.active("acme", ["a stranger", "one", "another"]) == {"one": subscriber(ACTIVE)}


@pytest.mark.parametrize("state", [None, PENDING])
def test_who_would_be_refused_is_looked_at_again_once_all_is_folded(state: str | None) -> None:
    world = World()
    world.happens()
    world.folds(state)
    world.happens()
    assert world.asked.active("acme", ["one"]) == {}
    with pytest.raises(NotFoldedError):
        world.asked.subscriber("acme", "one")
    assert StoredSubscribers(world.store).subscriber("acme", "one") == (None if state is None else subscriber(state))
    world.folds(state)
    assert world.asked.subscriber("acme", "one") == (None if state is None else subscriber(state))

"""What a fleet shares in Redis, in memory: held to the same contract by ``tests/contract/fleet``."""

from collections.abc import Collection, Mapping, Sequence

from schemas.topics import ALERTS
from streams.domain.episodes import EPISODES, INSTANCES
from streams.log.port import Record
from streams.runtime.fleet_instances import Glance, Landed, Newest, log_key
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.remembering import Known
from streams.runtime.state_store import StateStore


class RememberedEvents:
    """An ``EventMemory``."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def first(self, records: Sequence[Record]) -> list[Known | None]:
        before = [self._known.get(record.id) for record in records]
        for record in records:
            self._known.setdefault(record.id, Known(record))
        return before

    def placed(self, places: Mapping[str, Known]) -> None:
        self._known.update(places)

    def find(self, event_id: str) -> Known | None:
        return self._known.get(event_id)


class NotedDepartures:
    """A ``Departures``, and ``Glances`` at them and at a store."""

    def __init__(self, store: StateStore | None = None) -> None:
        self._store = store or MemoryStateStore()
        self._flights: dict[str, set[str]] = {}
        self._offsets: dict[str, int] = {}

    def enter(self, flight: str, keys: Collection[str], landed: Landed | None = None) -> None:
        NotedDepartures.land(self, landed or {})
        for key in keys:
            self._flights.setdefault(key, set()).add(flight)

    def land(self, flights: Landed) -> None:
        for flight, offsets in flights.items():
            for key, offset in offsets.items():
                self._flights.setdefault(key, set()).discard(flight)
                self._offsets[key] = max(offset, self._offsets.get(key, -1))

    def glance(self, page: str, partition: int, keys: Sequence[str]) -> Glance:
        newest = {key: known for key in keys if (known := self._newest(log_key(page, key))) is not None}
        folded = self._store.positions(EPISODES.name, partition).get(ALERTS.name, 0)
        rows = self._store.fetch(EPISODES.name, partition, [(INSTANCES, page, key) for key in keys])
        return Glance(newest, folded, {key: value for (_, _, key), value in rows.items()})

    def _newest(self, key: str) -> Newest | None:
        if key not in self._flights and key not in self._offsets:
            return None
        return Newest(bool(self._flights.get(key)), self._offsets.get(key, -1))

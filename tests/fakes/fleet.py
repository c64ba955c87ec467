"""What a fleet shares in Redis, in memory: held to the same contract by ``tests/contract/fleet``."""

from collections.abc import Collection, Mapping, Sequence

from streams.log.port import Record
from streams.runtime.fleet_instances import Newest
from streams.runtime.remembering import Known


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
    """A ``Departures``."""

    def __init__(self) -> None:
        self._flights: dict[str, set[str]] = {}
        self._offsets: dict[str, int] = {}

    def enter(self, flight: str, keys: Collection[str]) -> None:
        for key in keys:
            self._flights.setdefault(key, set()).add(flight)

    def land(self, flights: Mapping[str, Mapping[str, int]]) -> None:
        for flight, offsets in flights.items():
            for key, offset in offsets.items():
                self._flights.setdefault(key, set()).discard(flight)
                self._offsets[key] = max(offset, self._offsets.get(key, -1))

    def newest(self, keys: Sequence[str]) -> dict[str, Newest]:
        noted = self._flights.keys() | self._offsets.keys()
        return {key: Newest(bool(self._flights.get(key)), self._offsets.get(key, -1)) for key in keys if key in noted}

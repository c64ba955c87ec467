"""Reads the alerts that tell nobody from the committed rows of either engine."""

from collections.abc import Mapping

from consumers.reliability.past import Query
from schemas.shapes import decoder
from schemas.topics import PAGES as PAGES_TOPIC
from schemas.topics import partition_of
from streams.domain.alarms import UNROUTED, UnroutedAlarm
from streams.domain.pages import PAGES
from streams.runtime.partition_state import decoded
from streams.runtime.state_store import StateStore

_SPEC = next(spec for spec in PAGES.tables if spec.name == UNROUTED)


class StoredUnrouted:
    """Implements ``ports.Unrouted``."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def list(self, page: str) -> Mapping[str, UnroutedAlarm]:
        rows = self._query(
            "select key, value from state where stage = ? and tbl = ? and page = ?", (PAGES.name, UNROUTED, page)
        )
        return {episode: decoder(UnroutedAlarm).decode(value) for episode, value in rows}


class FleetUnrouted:
    """Implements ``ports.Unrouted`` over the distributed engine's store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def list(self, page: str) -> Mapping[str, UnroutedAlarm]:
        partition = partition_of(page, PAGES_TOPIC.partitions)
        rows = self._store.page(PAGES.name, partition, UNROUTED, page)
        return {episode: decoded(_SPEC, value) for episode, value in rows.items()}

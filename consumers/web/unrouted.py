"""Reads the alerts that tell nobody from the committed rows of the embedded engine."""

from collections.abc import Mapping

from consumers.reliability.past import Query
from streams.domain.alarms import UNROUTED, UnroutedAlarm
from streams.domain.pages import PAGES
from streams.runtime.rows import decoder


class StoredUnrouted:
    """Implements ``ports.Unrouted``."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def list(self, page: str) -> Mapping[str, UnroutedAlarm]:
        rows = self._query(
            "select key, value from state where stage = ? and tbl = ? and page = ?", (PAGES.name, UNROUTED, page)
        )
        return {episode: decoder(UnroutedAlarm).decode(value) for episode, value in rows}

"""What the intake may ask about alert instances before it appends: their newest folded state."""

from collections.abc import Sequence
from typing import Protocol

from streams.domain.episodes import EPISODES, INSTANCES, Instance
from streams.log.sqlite import SqliteEventLog
from streams.runtime.rows import decoder


class Instances(Protocol):
    """Reads the state of ``streams.domain.episodes``; it may lag behind the log."""

    def get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        """Return the known ones of these instances (keys as ``episodes.table_key`` makes them)."""


class EmbeddedInstances:
    """Reads them from the embedded engine's file, as committed."""

    def __init__(self, log: SqliteEventLog) -> None:
        self._log = log

    def get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        found: dict[str, Instance] = {}
        for start in range(0, len(keys), 400):
            some = keys[start : start + 400]
            marks = ",".join("?" * len(some))
            rows = self._log.query(
                f"select key, value from state where stage = ? and tbl = ? and page = ? and key in ({marks})",
                (EPISODES.name, INSTANCES, page, *some),
            )
            for key, value in rows:
                found[key] = decoder(Instance).decode(value)
        return found

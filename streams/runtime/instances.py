"""What the intake may ask about alert instances before it appends: their newest folded state."""

from collections.abc import Sequence
from typing import Protocol

from schemas.shapes import decoder
from streams.domain.episodes import EPISODES, INSTANCES, Instance
from streams.log.sqlite import SqliteEventLog
from streams.runtime.stage import FoldStage


class Instances(Protocol):
    """Reads the state of ``streams.domain.episodes``; it may lag behind the log."""

    def get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        """Return the known ones of these instances (keys as ``episodes.table_key`` makes them)."""


class EmbeddedInstances:
    """Reads them as the embedded engine has folded them: what is not in the stage's memory is in the file."""

    def __init__(self, log: SqliteEventLog, stage: FoldStage) -> None:
        self._log = log
        self._stage = stage

    def get_many(self, page: str, keys: Sequence[str]) -> dict[str, Instance]:
        table = self._stage.tables[INSTANCES]
        found: dict[str, Instance] = {}
        rest = []
        for key in keys:
            if (value := table.peek(page, key)) is not None:
                found[key] = value
            else:
                rest.append(key)
        if table.whole:
            return found
        for start in range(0, len(rest), 400):
            some = rest[start : start + 400]
            marks = ",".join("?" * len(some))
            rows = self._log.query(
                f"select key, value from state where stage = ? and tbl = ? and page = ? and key in ({marks})",
                (EPISODES.name, INSTANCES, page, *some),
            )
            for key, value in rows:
                found[key] = decoder(Instance).decode(value)
        return found

"""The embedded engine of a run, driven by the virtual clock; the history is told by what it knows."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from consumers.delivery.queue import Entry
from consumers.delivery.subscribers import Subscriber
from schemas.events import Micros
from schemas.shapes import decoder
from streams.domain.episodes import EPISODES, INSTANCES, Instance
from streams.domain.model import PageView
from streams.log.port import Stored
from streams.runtime.clock import Clock
from tests.parity.telling import Said
from tocsin.backend import Backend

_ALL = 1_000_000
_READ = 10_000
CHANNELS = ("email", "sms", "webhook")


class Wish(NamedTuple):
    """A timer that a stage wants, and when."""

    stage: str
    page: str
    timer: str
    due: Micros


class EmbeddedEngine:
    """A data folder behind the stages of a server."""

    def __init__(self, folder: Path, clock: Clock, environment: dict[str, str]) -> None:
        self.backend = Backend(folder, environment, clock)
        self._clock = clock
        self._read = 1

    def take(self, said: Sequence[Said]) -> None:
        """Append; an id that lies on this log is not appended again."""
        self.backend.log.append([each.record for each in said])

    def settle(self) -> None:
        """Return when everything is folded and nothing is due."""
        self.backend.settle()
        while self._is_due():
            self.backend.settle()

    def _is_due(self) -> bool:
        return bool(self.backend.log.query("select 1 from timers where due <= ? limit 1", (self._clock(),)))

    def news(self) -> list[Stored]:
        """Return what lies on the log since the last call."""
        found: list[Stored] = []
        while batch := self.backend.log.read_all(self._read, _READ):
            found += batch
            self._read = batch[-1].offset + 1
        return found

    # --- what is known, for whoever tells the history ---

    def view(self, page: str) -> PageView | None:
        return self.backend.board.view(page)

    def wishes(self) -> list[Wish]:
        rows = self.backend.log.query("select stage, page, timer, due from timers order by due, stage, page, timer")
        return [Wish(*row) for row in rows]

    def instances(self) -> dict[str, dict[str, Instance]]:
        """Return what is known of all alert instances by page and key."""
        found: dict[str, dict[str, Instance]] = defaultdict(dict)
        rows = self.backend.log.query(
            "select page, key, value from state where stage = ? and tbl = ? order by page, key",
            (EPISODES.name, INSTANCES),
        )
        for page, key, value in rows:
            found[page][key] = decoder(Instance).decode(value)
        return found

    def subscribers(self, page: str) -> dict[str, Subscriber]:
        return {known.id: known for known in self.backend.subscribers.book.listed(page, None, _ALL)}

    def waiting(self, now: Micros, limit: int) -> list[Entry]:
        """Return some of what a sender would find at ``now``, due or overtaken, the same ones whenever this is told.

        Not the first in their turn: of what was planned in the same moment, as all of a round is, that is whichever.
        """
        queue = self.backend.queue
        due = [entry for channel in CHANNELS for entry in queue.next(channel, now, _ALL)]
        overtaken = [each.entry for channel in CHANNELS for each in queue.overtaken(channel, _ALL)]
        return sorted([*due, *overtaken], key=lambda entry: entry.notification)[:limit]

    def close(self) -> None:
        self.backend.close()

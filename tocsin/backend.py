"""Everything behind the HTTP face, wired for the embedded engine: log, keys, stages, driver, queue.

The only module, with ``tocsin.server``, that knows which class stands behind which port here.
"""

from contextlib import suppress
from pathlib import Path

from consumers.delivery.audience_file import AudienceFile
from consumers.delivery.failing import PROCESSOR as FAILING
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.planner import PlannerStage
from consumers.delivery.reminders import reminder_changes
from consumers.delivery.stored_queue import StoredQueue
from consumers.delivery.subscriber_stage import SubscriberStage
from consumers.projection.board import StatusBoard
from consumers.reliability.uptime import RELIABILITY
from schemas.events import AnyEvent, Event, EventData
from schemas.ids import random_id
from streams.domain.catalogue import Catalogue, catalogue_in, difference
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.keys.master import open_vault
from streams.log.port import LogError, record_of
from streams.log.sqlite import SqliteEventLog
from streams.runtime.clock import Clock, system_clock
from streams.runtime.embedded import EmbeddedDriver
from streams.runtime.instances import EmbeddedInstances
from streams.runtime.publisher import EmbeddedPublisher
from streams.runtime.stage import FoldStage
from tocsin.folder import FolderLock

CONFIG_ACTOR = "config"


class Backend:
    """A data folder, open and driven. ``close`` finishes what was queued."""

    def __init__(self, folder: Path, environment: dict[str, str], clock: Clock = system_clock) -> None:
        self.clock = clock
        self._lock = FolderLock(folder)
        self.vault = open_vault(folder, environment)
        self.log = SqliteEventLog(folder)
        self.board = StatusBoard()
        episodes = FoldStage(EPISODES, patient=True)
        self.pages = FoldStage(PAGES, patient=True)
        self.subscribers = SubscriberStage(self.log.query, AudienceFile(folder, self.log))
        stages = (
            episodes,
            self.pages,
            self.board.stage,
            FoldStage(RELIABILITY),
            self.subscribers,
            PlannerStage(self.subscribers),
            LedgerStage(),
            FoldStage(FAILING),
        )
        self.driver = EmbeddedDriver(self.log, stages, clock)
        self.board.follow(lambda _, offset: self.driver.committed_position(self.board.stage.name) > offset)
        self.driver.start()
        self.publisher = EmbeddedPublisher(self.log)
        self.instances = EmbeddedInstances(self.log, episodes)
        self.queue = StoredQueue(self.log)

    def settle(self) -> None:
        """Wait until every stage has passed what the log holds: at start-up, and in tests."""
        behind = True
        while behind:
            # Each transaction folds a piece, and this one is answered when its piece is durable.
            self.log.submit(lambda _: None).result()
            behind = any(self.driver.lag().values())
        self.log.submit(lambda _: None).result()  # and what the folds have not saved yet is saved

    def apply(self, page: str, wanted: Catalogue, *, dry_run: bool = False) -> tuple[Catalogue, list[EventData]]:
        """Append what leads from the log's catalogue to ``wanted``; return the former and the changes."""
        current = catalogue_in(self.pages.tables, page)
        changes = difference(current, wanted)
        if changes and not dry_run:
            self._append(page, changes)
        return current, changes

    def _append(self, page: str, changes: list[EventData]) -> None:
        self._append_events([self._event(page, data) for data in changes])
        self.settle()

    def _append_events(self, events: list[AnyEvent]) -> None:
        self.log.submit(
            lambda connection: self.log.append_within(connection, [record_of(event) for event in events], events)
        ).result()

    def remind(self, page: str, addresses: tuple[str, ...]) -> None:
        """Make exactly these addresses the ones that are reminded of promises; events only for what differs."""
        changes = reminder_changes(self.subscribers.book.reminded(page), self.vault, page, addresses)
        if changes:
            self._append(page, changes)

    def _event(self, page: str, data: EventData) -> AnyEvent:
        now = self.clock()
        return Event(random_id(), page, now, now, CONFIG_ACTOR, None, None, False, data)

    def close(self) -> None:
        """Stop driving and release the folder."""
        with suppress(LogError):
            self.log.submit(lambda _: None).result()  # saves what is unsaved: the next start has nothing to fold again
            self.log.submit(lambda _: self.subscribers.keep()).result()
        self.log.close()
        self.vault.close()
        self._lock.close()

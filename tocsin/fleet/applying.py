"""Brings a configuration's catalogue onto the log of the distributed engine: one process of the fleet at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from consumers.delivery.reminders import reminder_changes
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from consumers.delivery.subscribers import SUBSCRIBERS as TABLE
from schemas.events import AnyEvent, Event, EventData
from schemas.ids import derive
from schemas.topics import PAGES, partition_of
from streams.domain.catalogue import Catalogue, catalogue_in, difference
from streams.log.port import LogUnavailableError, record_of
from streams.runtime.redis_turns import RedisTurns
from streams.runtime.state_store import StoreUnavailableError
from tocsin.fleet.followed import START_SECONDS, Followed
from tocsin.fleet.ground import Ground

CONFIG_ACTOR = "config"
_PATIENCE = 180.0


class Applying:
    """Applies catalogues and reminders; ``status`` follows the pages and has caught up.

    Two processes that apply at once would both append the same difference: harmless, for ids are derived and
    folds take an event twice, but noise on the log. So they take turns; the second finds nothing left to do.
    """

    def __init__(self, ground: Ground, status: Followed) -> None:
        self._ground = ground
        self._status = status

    def apply(self, page: str, wanted: Catalogue, *, dry_run: bool = False) -> tuple[Catalogue, list[EventData]]:
        """Append what leads from the log's catalogue to ``wanted``; return the former and the changes.

        Returns when the changes are folded here. Raises LogUnavailableError.
        """
        with self._turn(page):
            self._status.catch_up(_PATIENCE)
            with self._status.follower.still() as tables:
                current = catalogue_in(tables, page)
            changes = difference(current, wanted)
            if changes and not dry_run:
                self._append(page, changes)
                self._status.catch_up(_PATIENCE)
        return current, changes

    def remind(self, page: str, addresses: tuple[str, ...]) -> None:
        """Make exactly these addresses the ones that are reminded of promises; events only for what differs."""
        with self._turn(page):
            followed = Followed(self._ground, SUBSCRIBERS)
            try:
                followed.follower.start()
                followed.catch_up(START_SECONDS)
                known = followed.follower.tables[TABLE].rows(page).values()
                changes = reminder_changes(known, self._ground.vault, page, addresses)
            finally:
                followed.stop()
            if changes:
                self._append(page, changes)

    @contextmanager
    def _turn(self, page: str) -> Iterator[None]:
        turns = RedisTurns(self._ground.redis, self._ground.engine.namespace)
        try:
            with turns.turn(f"apply/{page}"):
                yield
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error

    def _append(self, page: str, changes: Sequence[EventData]) -> None:
        before = self._status.follower.position((PAGES.name, partition_of(page, PAGES.partitions)))
        events = [self._event(page, data, before, rank) for rank, data in enumerate(changes)]
        self._ground.log.append([record_of(event) for event in events])

    def _event(self, page: str, data: EventData, before: int, rank: int) -> AnyEvent:
        now = self._ground.clock()
        identifier = derive("apply", page, str(before), str(rank), repr(data))
        return Event(identifier, page, now, now, CONFIG_ACTOR, None, None, False, data)

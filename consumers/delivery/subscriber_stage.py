"""The embedded engine's fold of subscribers, with the index that the planner asks within the same transaction.

Whole subscribers lie in the file. What stays in memory of each is the index, of which a snapshot is kept now and then, for
the next start.
"""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import TypeAlias

import msgspec

from consumers.delivery.audience_file import AudienceFile
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.page_index import Standing
from consumers.delivery.subscriber_book import Query, StoredBook
from consumers.delivery.subscribers import ACTIVE, OF_SUBSCRIBERS, PROCESSOR, SUBSCRIBERS, Subscriber
from schemas.events import AnyEvent, Filter
from schemas.shapes import decoder
from schemas.vocabulary import Audience
from streams.runtime.stage import FoldStage

_Standing: TypeAlias = Standing | None
_SELECT = "select page, key, value from state where stage = ? and tbl = ?"
_POSITION = 'select position from positions where "group" = ? and place = 0'
_WORTH_KEEPING = 20_000
"""Subscribers below which no snapshot is written: their rows are read in a tenth of a second."""
_OFTEN, _SHARE = 100_000, 10
"""A snapshot is written when so many events are newer than the last one, or so many as a tenth of the subscribers: the writer
of the log does nothing else meanwhile, a third of a second for a million."""


class _Row(msgspec.Struct, frozen=True, gc=False):
    """The part of a subscriber's row that the index is made of."""

    channel: str
    filter: Filter
    state: str
    audience: Audience = Audience.PUBLIC


class SubscriberStage(FoldStage):
    """The fold, and a book of it that follows every step. ``query`` reads the same file from any thread.

    ``snapshot`` is where the index is kept for the next start, if there are ``worth`` subscribers.
    """

    def __init__(
        self, query: Query | None = None, snapshot: AudienceFile | None = None, *, worth: int = _WORTH_KEEPING
    ) -> None:
        super().__init__(PROCESSOR)
        self._snapshot = snapshot
        self._worth = worth
        self._newer = 0
        self.book = StoredBook(query or _nothing)
        self._before: dict[tuple[str, str], _Standing] = {}
        self._is_loaded = False

    def load(self, connection: Connection) -> None:
        super().load(connection)
        self.book.follow(self.tables)
        if self._is_loaded:
            self._undo()
        else:
            self._begin(connection)
            self._is_loaded = True

    def begin_anew(self) -> None:
        super().begin_anew()
        self.book.load(self.tables)

    def run(self, connection: Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        index, table = self.book.index, self.tables[SUBSCRIBERS]
        touched = {
            (event.page, event.data.subscriber): None for event in events if isinstance(event.data, OF_SUBSCRIBERS)
        }
        for where in touched:
            if where not in self._before:
                self._before[where] = index.standing(*where)
        emitted = super().run(connection, events)
        self._newer += len(events)
        for page, key in touched:
            self.book.changed(page, key, table.get(page, key))
        return emitted

    def committed(self) -> None:
        self._before = {}
        super().committed()
        if self._newer >= _OFTEN and self._newer * _SHARE >= len(self.index):
            self.keep()

    def keep(self) -> None:
        """Write a snapshot where one is worth it; from the thread that folds, between transactions. Raises LogError."""
        if self._snapshot is None or self._before or not self._newer or len(self.index) < self._worth:
            return
        rows = self.book.query(_POSITION, (self.name,))
        self._snapshot.write(self.index, rows[0][0] if rows else 1)
        self._newer = 0

    @property
    def index(self) -> AudienceIndex:
        """The index over all that is folded."""
        return self.book.index

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        """Return a subscriber as folded so far; may be asked from any thread."""
        return self.book.subscriber(page, key)

    def active(self, page: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        """Return those who are active as folded so far, by id; may be asked from any thread."""
        return {key: known for key, known in self.book.some(page, keys).items() if known.state == ACTIVE}

    def _begin(self, connection: Connection) -> None:
        row = connection.execute(_POSITION, (self.name,)).fetchone()
        found = None if self._snapshot is None else self._snapshot.read(1 if row is None else row[0])
        if found is None:
            self._build(connection)
            self._newer = len(self.index)
        else:
            self.book.index, touched = found
            self._newer = len(touched)
            for page, key in touched:
                where = (self.name, SUBSCRIBERS, page, key)
                self._put(connection.execute(f"{_SELECT} and page = ? and key = ?", where))

    def _build(self, connection: Connection) -> None:
        self._put(connection.execute(_SELECT, (self.name, SUBSCRIBERS)))

    def _put(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        index, decode = self.book.index, decoder(_Row).decode
        for page, key, value in rows:
            row = decode(value)
            index.put(page, key, row.channel, row.state, row.filter, row.audience)

    def _undo(self) -> None:
        """Give the index back what it held before a transaction that was rolled back."""
        for (page, key), standing in self._before.items():
            if standing is None:
                self.book.index.withdraw(page, key)
            else:
                self.book.index.put(page, key, *standing)
        self._before = {}


def _nothing(_statement: str, _values: Sequence[object]) -> list[tuple[object, ...]]:
    return []

"""The book of subscribers: the tables of their fold, read, and the index over them. It folds nothing and writes nothing.

A book is as whole as its tables are. Those of a planner of the distributed engine are an ``IndexedTable``: they hold what
planning needs, and no addresses.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from consumers.delivery.audience import Question
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.subscribers import PARENTS, PROCESSOR, SETTINGS, SUBSCRIBERS, Subscriber
from schemas.events import PageDefined
from schemas.shapes import decoder
from schemas.vocabulary import Impact, Kind
from streams.domain.state import MemoryTable, memory_state
from streams.runtime.follower import FollowedTable

Query: TypeAlias = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Reads the embedded engine's file, from any thread."""


_NEEDLESS = {"address", "reason", "origin", "created_at", "pace"}
"""What neither planning nor the fold asks of a subscriber."""
_INDEXED = {"id", "channel", "filter", "state", "audience"}
_DEFAULTS = {
    field.name: field.default
    for field in msgspec.structs.fields(Subscriber)
    if field.name not in _NEEDLESS | _INDEXED
}  # fmt: skip
"""All else, with defaults: what the fold asks of the few whose address was suppressed."""
_RARE, _USUAL = tuple(_DEFAULTS), tuple(_DEFAULTS.values())
_rare_of = attrgetter(*_RARE)


class IndexedTable(FollowedTable[Subscriber]):
    """Subscribers as an index holds them: channel, state and filter, and beside it what few have. For a fold that only plans."""

    def __init__(self, index: AudienceIndex) -> None:
        super().__init__()
        self.index = index
        self._rare: dict[tuple[str, str], dict[str, Any]] = {}

    def get(self, page: str, key: str) -> Subscriber | None:
        known = self.index.pages.get(page)
        return None if known is None or key not in known.numbers else self.peek(page, key)

    def peek(self, page: str, key: str) -> Subscriber | None:
        found = self.index.standing(page, key)
        if found is None:
            return None
        channel, state, wanted, audience = found
        rare = self._rare.get((page, key), {})
        return Subscriber(key, channel, b"", wanted, state, "", "", 0, audience=audience, **rare)

    def put(self, page: str, key: str, value: Subscriber) -> None:
        self.index.page(page).put(key, value.channel, value.state, value.filter, value.audience)
        if (rare := _rare_of(value)) != _USUAL:
            self._rare[page, key] = dict(zip(_RARE, rare, strict=True))
        elif self._rare:
            self._rare.pop((page, key), None)

    def rare(self) -> Iterator[tuple[str, str, Subscriber]]:
        """Yield, by page and key, those of whom the index does not hold all that is needed."""
        for page, key in list(self._rare):
            if (known := self.peek(page, key)) is not None:
                yield page, key, known

    def fill(self, page: str, key: str, value: Subscriber) -> None:
        self.put(page, key, value)

    def delete(self, page: str, key: str) -> None:
        self.index.withdraw(page, key)
        self._rare.pop((page, key), None)

    def pages(self) -> list[str]:
        return list(self.index.pages)

    def items(self, page: str) -> Iterator[tuple[str, Subscriber]]:
        for key in list(self.index.pages[page].ids) if page in self.index.pages else ():
            if (known := self.peek(page, key)) is not None:
                yield key, known

    def rows(self, page: str) -> dict[str, Subscriber]:
        return dict(self.items(page))

    def count(self, page: str) -> int:
        return sum(1 for _ in self.items(page))


class SubscriberBook:
    """What is known of subscribers and of the page that they subscribed to; ``index`` answers for all at once."""

    def __init__(self) -> None:
        self.index = AudienceIndex()
        self._tables: Mapping[str, MemoryTable[Any]] = memory_state(PROCESSOR.tables)

    def load(self, tables: Mapping[str, MemoryTable[Any]]) -> None:
        """Read ``tables`` from now on, and build the index over them anew, unless they are one already."""
        self._tables = tables
        table = tables[SUBSCRIBERS]
        if isinstance(table, IndexedTable):
            self.index = table.index
            return
        self.index = AudienceIndex()
        for page in table.pages():
            for key, known in table.items(page):
                self.changed(page, key, known)

    def changed(self, page: str, key: str, after: Subscriber | None) -> None:
        """Follow a change of one subscriber."""
        if after is None:
            self.index.withdraw(page, key)
        else:
            self.index.put(page, key, after.channel, after.state, after.filter, after.audience)

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        """Return a subscriber as folded so far."""
        found: Subscriber | None = self._tables[SUBSCRIBERS].get(page, key)
        return found

    def listed(self, page: str, after: str | None, limit: int) -> list[Subscriber]:
        """Return up to ``limit`` subscribers behind a cursor, an id, in the order of their ids; from any thread."""
        rows = self._tables[SUBSCRIBERS].rows(page)
        keys = heapq.nsmallest(limit, (key for key in rows if after is None or key > after))
        return [rows[key] for key in keys]

    def listed_in(self, page: str, state: str, after: str | None, limit: int) -> list[Subscriber]:
        """Return up to ``limit`` subscribers who stand so, as ``listed`` does; the index knows who they are."""
        ids = self.index.in_state(page, state)
        keys = heapq.nsmallest(limit, (key for key in ids if after is None or key > after))
        return [known for key in keys if (known := self.subscriber(page, key)) is not None]

    def reminded(self, page: str) -> list[Subscriber]:
        """Return whoever wants to be reminded of promises."""
        ids = self.index.match(page, _REMINDER)
        return [known for key in ids if (known := self.subscriber(page, key)) is not None]

    def lineage(self, page: str, component: str) -> list[str]:
        """Return ``component`` and the groups above it."""
        found = [component]
        while (parent := self._tables[PARENTS].get(page, found[-1])) and parent not in found:
            found.append(parent)
        return found

    def settings(self, page: str) -> PageDefined | None:
        """Return the page's settings."""
        found: PageDefined | None = self._tables[SETTINGS].get(page, "")
        return found


class StoredBook(SubscriberBook):
    """The embedded engine's: single subscribers are read off its file, but for those whom the fold has in memory just now."""

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.query = query

    def follow(self, tables: Mapping[str, MemoryTable[Any]]) -> None:
        """Read ``tables`` from now on; the index is as it was."""
        self._tables = tables

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        table: MemoryTable[Subscriber] = self._tables[SUBSCRIBERS]
        found = table.peek(page, key)
        if found is not None or table.whole:
            return found
        rows = self.query(f"{_SELECT} and key = ?", (PROCESSOR.name, SUBSCRIBERS, page, key))
        return decoder(Subscriber).decode(rows[0][1]) if rows else None

    def some(self, page: str, keys: Sequence[str]) -> dict[str, Subscriber]:
        """Return those of the subscribers that there are by id, as folded so far, with one question to the file."""
        table: MemoryTable[Subscriber] = self._tables[SUBSCRIBERS]
        found = {key: known for key in keys if (known := table.peek(page, key)) is not None}
        if len(found) < len(keys) and not table.whole:
            wanted = msgspec.json.encode([key for key in keys if key not in found] if found else keys).decode()
            [[rows]] = self.query(_SELECT_SOME, (PROCESSOR.name, SUBSCRIBERS, page, wanted))
            for known in decoder(list[Subscriber]).decode(rows):
                found[known.id] = known
        return found

    def listed(self, page: str, after: str | None, limit: int) -> list[Subscriber]:
        where = (PROCESSOR.name, SUBSCRIBERS, page, after or "", limit)
        rows = self.query(f"{_SELECT} and key > ? order by key limit ?", where)
        return [decoder(Subscriber).decode(value) for _, value in rows]


_REMINDER = Question(Kind.REMINDER, [], Impact.NONE)
_SELECT = "select key, value from state where stage = ? and tbl = ? and page = ?"
# One row of all: for each row the database gives up the interpreter, and waits to have it back.
_SELECT_SOME = """select '[' || coalesce(group_concat(cast(value as text)), '') || ']' from state
where stage = ? and tbl = ? and page = ? and key in (select value from json_each(?))"""

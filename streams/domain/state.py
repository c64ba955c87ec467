"""What a fold works on: tables of frozen values by page and key, in memory, with a note of what changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

V = TypeVar("V")
D = TypeVar("D")


class Table(Protocol[V]):
    """A table of one kind of value. ``page`` scopes it, ``key`` names the value within the page."""

    def get(self, page: str, key: str) -> V | None:
        """Return the value, or None."""

    def put(self, page: str, key: str, value: V) -> None:
        """Set the value."""

    def delete(self, page: str, key: str) -> None:
        """Remove the value if it is there."""

    def items(self, page: str) -> Iterator[tuple[str, V]]:
        """Iterate over the page's values; an order is not promised."""

    def count(self, page: str) -> int:
        """Return how many values the page has."""

    def derived(self, page: str, make: Callable[[Mapping[str, V]], D]) -> D:
        """Return what ``make``, a pure function, makes of the page's values; made anew after one of them changed."""


Ranked: TypeAlias = Callable[[str, Any], Iterable[tuple[str, int]]]
"""Given a row's key and value, the rankings in which the row has a place, and its score in each."""


class TableSpec(msgspec.Struct, frozen=True):
    """A table's name and the type of its values; ``lazy`` ones are looked up by key and never listed.

    A lazy table may be larger than memory: a driver fetches what ``Processor.prefetch`` names. ``ranked``, a pure
    function, says by which numbers readers of the store may ask for the table's rows.
    """

    name: str
    value: Any
    lazy: bool = False
    ranked: Ranked | None = None


State = Mapping[str, Table[Any]]
"""The tables of one processor by name."""


class MemoryTable(Generic[V]):
    """A table in memory that remembers what changed since ``drain`` was last called.

    ``load`` fetches a value that is not in memory (lazy tables); None means that memory holds all there is.
    """

    def __init__(self, load: Callable[[str, str], V | None] | None = None) -> None:
        self.whole = False
        """Whether memory is known to hold all there is; may be asked from any thread, after ``peek``."""
        self._pages: dict[str, dict[str, V]] = {}
        self._changed: dict[tuple[str, str], V | None] = {}
        self._absent: set[tuple[str, str]] = set()
        self._derived: dict[str, dict[Any, Any]] = {}
        self._load = load

    def get(self, page: str, key: str) -> V | None:
        rows = self._pages.get(page)
        if rows is not None:
            value = rows.get(key)
            if value is not None:
                return value
        where = (page, key)
        if self.whole or self._load is None or where in self._changed or where in self._absent:
            return None
        value = self._load(page, key)
        if value is not None:
            self.fill(page, key, value)
        return value

    def peek(self, page: str, key: str) -> V | None:
        """Return the value if it is in memory; may be asked from any thread."""
        rows = self._pages.get(page)
        return None if rows is None else rows.get(key)

    def holds(self, page: str, key: str) -> bool:
        """Whether memory knows the value, or knows that there is none."""
        where = (page, key)
        return self.whole or key in self._pages.get(page, {}) or where in self._changed or where in self._absent

    def fill_absent(self, page: str, key: str) -> None:
        """Note that a lazy table's store has no such value."""
        self._absent.add((page, key))

    def put(self, page: str, key: str, value: V) -> None:
        rows = self._pages.get(page)
        if rows is None:
            rows = self._pages[page] = {}
        rows[key] = value
        self._changed[page, key] = value
        if self._derived:
            self._derived.pop(page, None)

    def delete(self, page: str, key: str) -> None:
        self._pages.get(page, {}).pop(key, None)
        self._changed[page, key] = None
        self._derived.pop(page, None)

    def items(self, page: str) -> Iterator[tuple[str, V]]:
        return iter(self._pages.get(page, {}).items())

    def count(self, page: str) -> int:
        return len(self._pages.get(page, {}))

    def derived(self, page: str, make: Callable[[Mapping[str, V]], D]) -> D:
        known = self._derived.setdefault(page, {})
        if make not in known:
            known[make] = make(self._pages.get(page, {}))
        found: D = known[make]
        return found

    def pages(self) -> list[str]:
        """Return the pages that have or had values."""
        return list(self._pages)

    def rows(self, page: str) -> dict[str, V]:
        """Return a copy of the page's values."""
        return dict(self._pages.get(page, {}))

    def fill(self, page: str, key: str, value: V) -> None:
        """Put a value that was loaded: it does not count as changed."""
        self._pages.setdefault(page, {})[key] = value
        self._derived.pop(page, None)

    def pending(self) -> int:
        """Return how many values changed since the last ``drain``."""
        return len(self._changed)

    def drain(self) -> dict[tuple[str, str], V | None]:
        """Return what changed since the last call, None for what was deleted, and forget it."""
        changed, self._changed = self._changed, {}
        return changed

    def shrink(self, keep: int) -> None:
        """Drop all values from memory when there are more than ``keep``; only for lazy tables without changes."""
        if self._load is not None:
            self._absent.clear()
            if sum(map(len, self._pages.values())) > keep:
                self.whole = False  # first: another thread finds nothing and then asks whether that is all there is
                self._pages.clear()


def memory_state(tables: tuple[TableSpec, ...]) -> dict[str, MemoryTable[Any]]:
    """Return empty tables in memory."""
    return {spec.name: MemoryTable() for spec in tables}

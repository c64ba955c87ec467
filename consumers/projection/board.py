"""The status board: holds the newest committed picture of every page and says what became of an event.

One thread folds; readers in other threads get pictures that never change.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from schemas.events import AnyEvent
from schemas.topics import PAGES
from streams.domain import page as facts
from streams.domain.model import PageView
from streams.domain.processor import Output, Processor
from streams.domain.state import MemoryTable, State, TableSpec
from streams.runtime.stage import FoldStage
from streams.runtime.views import Verdict

IGNORED = "ignored"
CHANGED = "changed"
"""Reasons by the id of the event that was ignored; and the time of a page's newest change."""
_POLL = 0.005


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one fact; what is ignored is kept with its reason, but for copies: reasons are by id, and theirs was applied."""
    facts.evolve(state, event, out)
    if out.copied:
        return
    if out.ignored is not None:
        state[IGNORED].put(event.page, event.id, out.ignored)
    else:
        # A log may repeat a fact after younger ones, and clocks differ: a page never becomes older.
        known = state[CHANGED].get(event.page, facts.ONLY)
        if known is None or known < event.recorded_at:
            state[CHANGED].put(event.page, facts.ONLY, event.recorded_at)


STATUS = Processor(
    name="status",
    topics=(PAGES.name,),
    types=facts.FACT_TYPES,
    tables=(*facts.PAGE_TABLES, TableSpec(IGNORED, str), TableSpec(CHANGED, int)),
    step=step,
    leisurely=True,
)


class StatusBoard:
    """Implements ``streams.runtime.views.Views`` over the tables of ``STATUS`` as somebody of this process folds them.

    The embedded engine drives ``stage``; elsewhere whoever folds calls ``committed`` after each batch.
    """

    def __init__(self) -> None:
        self.stage = FoldStage(STATUS, self.committed)
        self._tables: Mapping[str, MemoryTable[Any]] = {}
        self._views: dict[str, PageView] = {}
        self._version = 0
        self._listeners: list[Callable[[str], None]] = []
        self._passed: Callable[[str, int], bool] = lambda _page, _offset: False

    def follow(self, passed: Callable[[str, int], bool]) -> None:
        """Say how to ask whether ``committed`` has told of what lies at an offset, in the partition of a page."""
        self._passed = passed

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with a page's id after each change, from the thread that folds: it must be quick."""
        self._listeners.append(listener)

    def pages(self) -> list[str]:
        return sorted(self._views)

    def view(self, page: str) -> PageView | None:
        return self._views.get(page)

    def ignored(self, page: str) -> dict[str, str]:
        """Return the events of the page that were ignored, and why."""
        table = self._tables.get(IGNORED)
        return {} if table is None else table.rows(page)

    async def verdict(self, page: str, event_id: str, offset: int, timeout: float) -> Verdict:
        deadline = time.monotonic() + timeout
        while not self._passed(page, offset):
            if time.monotonic() >= deadline:
                return Verdict(known=False)
            await asyncio.sleep(_POLL)
        return Verdict(known=True, reason=self._tables[IGNORED].get(page, event_id))

    def committed(self, tables: Mapping[str, MemoryTable[Any]], pages: set[str]) -> None:
        """Take over what a batch changed on ``pages``; always from one thread."""
        self._tables = tables
        for page in pages:
            self._version += 1
            picture = _picture(tables, page, self._version)
            if picture is not None:
                self._views[page] = picture
        for page in pages:
            for listener in self._listeners:
                listener(page)


def _picture(tables: Mapping[str, MemoryTable[Any]], page: str, version: int) -> PageView | None:
    settings = tables[facts.SETTINGS].get(page, facts.ONLY)
    if settings is None:
        return None
    regions = tables[facts.REGIONS].get(page, facts.ONLY)
    return PageView(
        page=page,
        settings=settings,
        regions=[] if regions is None else regions.regions,
        components=tables[facts.COMPONENTS].rows(page),
        cells=tables[facts.CELLS].rows(page),
        incidents=tables[facts.INCIDENTS].rows(page),
        maintenances=tables[facts.MAINTENANCES].rows(page),
        drafts={key: draft for key, draft in tables[facts.DRAFTS].items(page) if not draft.approved},
        updated_at=tables[CHANGED].get(page, facts.ONLY) or 0,
        version=version,
    )


def picture_of(tables: Mapping[str, MemoryTable[Any]], page: str) -> PageView | None:
    """Return the picture of a page from folded tables, for a replay."""
    return _picture(tables, page, 0)

"""Who wants to hear of what: the fold of ``tocsin.subscriptions``, with the page's tree that filters refer to."""

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec
from msgspec.structs import replace

from consumers.delivery.audience import AudienceIndex
from schemas import events as e
from schemas.events import AnyEvent, Filter, Micros, Pace, PageDefined
from schemas.topics import PAGES, SUBSCRIPTIONS
from streams.domain.processor import Output, Processor
from streams.domain.state import MemoryTable, State, TableSpec, memory_state
from streams.runtime.stage import FoldStage

SUBSCRIBERS, PARENTS, SETTINGS = "subscribers", "parents", "settings"
PENDING, ACTIVE, PAUSED, REMOVED, SUPPRESSED = "pending", "active", "paused", "removed", "suppressed"
_HERE = (PENDING, ACTIVE, PAUSED, SUPPRESSED)


class Subscriber(msgspec.Struct, frozen=True):
    """A subscriber: one endpoint on one channel. ``address`` is sealed, and empty once they are gone.

    ``pace`` is None for who wants to be told at once.
    """

    id: str
    channel: str
    address: bytes
    filter: Filter
    state: str
    reason: str
    origin: str
    created_at: Micros
    pace: Pace | None = None


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one event."""
    match event.data:
        case e.SubscriberAdded() as added:
            _added(state, event, added, out)
        case e.SubscriberConfirmed(subscriber=key):
            _move(state, event, key, out, of=(PENDING, SUPPRESSED), to={"state": ACTIVE, "reason": ""})
        case e.SubscriberChanged(subscriber=key, filter=wanted):
            _move(state, event, key, out, of=_HERE, to={"filter": wanted})
        case e.SubscriberPaused(subscriber=key, paused=paused):
            before, after = (ACTIVE, PAUSED) if paused else (PAUSED, ACTIVE)
            _move(state, event, key, out, of=(before,), to={"state": after})
        case e.PaceChosen(subscriber=key, pace=pace):
            chosen = None if pace == Pace() else pace
            _move(state, event, key, out, of=_HERE, to={"pace": chosen})
        case e.SubscriberRemoved(subscriber=key, reason=reason):
            gone = {"state": REMOVED, "reason": reason, "address": b""}
            _move(state, event, key, out, of=_HERE, to=gone)
        case e.EndpointSuppressed(subscriber=key, reason=reason):
            _move(state, event, key, out, of=(PENDING, ACTIVE, PAUSED), to={"state": SUPPRESSED, "reason": reason})
        case _:
            _of_the_page(state, event, out)


def _of_the_page(state: State, event: AnyEvent, out: Output) -> None:
    """Fold what filters refer to."""
    match event.data:
        case e.ComponentDefined(component=component, parent=parent):
            state[PARENTS].put(event.page, component, parent or "")
        case e.ComponentRemoved(component=component):
            state[PARENTS].delete(event.page, component)
        case PageDefined() as settings:
            state[SETTINGS].put(event.page, "", settings)
        case _:
            out.ignore("not an event of a subscriber")


def _added(state: State, event: AnyEvent, added: e.SubscriberAdded, out: Output) -> None:
    if state[SUBSCRIBERS].get(event.page, added.subscriber) is not None:
        out.ignore("this subscriber was added before")
        return
    subscriber = Subscriber(
        added.subscriber,
        added.channel,
        added.address,
        added.filter,
        ACTIVE if added.confirmed else PENDING,
        "",
        added.origin,
        event.recorded_at,
    )
    state[SUBSCRIBERS].put(event.page, added.subscriber, subscriber)


def _move(
    state: State, event: AnyEvent, key: str, out: Output, *, of: tuple[str, ...], to: Mapping[str, object]
) -> None:
    known: Subscriber | None = state[SUBSCRIBERS].get(event.page, key)
    if known is None:
        out.ignore("there is no such subscriber")
    elif known.state not in of:
        out.ignore(f"the subscriber is {known.state}")
    else:
        state[SUBSCRIBERS].put(event.page, key, replace(known, **to))


PROCESSOR = Processor(
    name="subscribers",
    topics=(SUBSCRIPTIONS.name, PAGES.name),
    types=frozenset(
        {
            "SubscriberAdded", "SubscriberConfirmed", "SubscriberChanged", "SubscriberPaused", "PaceChosen",
            "SubscriberRemoved",
            "EndpointSuppressed", "ComponentDefined", "ComponentRemoved", "PageDefined",
        }
    ),
    tables=(
        TableSpec(SUBSCRIBERS, Subscriber),
        TableSpec(PARENTS, str),
        TableSpec(SETTINGS, PageDefined),
    ),
    step=step,
    leisurely=True,
)  # fmt: skip
_OF_SUBSCRIBERS = (
    e.SubscriberAdded, e.SubscriberConfirmed, e.SubscriberChanged, e.SubscriberPaused, e.SubscriberRemoved,
    e.EndpointSuppressed,
)  # fmt: skip


class SubscriberBook:
    """The tables of the fold, read, with an index over them that is told of every change. It folds nothing."""

    def __init__(self) -> None:
        self.index = AudienceIndex()
        self._tables: Mapping[str, MemoryTable[Any]] = memory_state(PROCESSOR.tables)

    def load(self, tables: Mapping[str, MemoryTable[Any]]) -> None:
        """Read ``tables`` from now on, and build the index over them anew."""
        self._tables = tables
        self.index = AudienceIndex()
        table = tables[SUBSCRIBERS]
        for page in table.pages():
            for key, known in table.items(page):
                self.changed(page, key, None, known)

    def changed(self, page: str, key: str, before: Subscriber | None, after: Subscriber | None) -> None:
        """Follow a change of one subscriber."""
        known = after or before
        if known is not None:
            self.index.set(page, key, known.channel, _wanted(after), _wanted(before))

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        """Return a subscriber as folded so far."""
        found: Subscriber | None = self._tables[SUBSCRIBERS].get(page, key)
        return found

    def subscribers(self, page: str) -> dict[str, Subscriber]:
        """Return a copy of a page's subscribers by id; may be asked from any thread."""
        return self._tables[SUBSCRIBERS].rows(page)

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


def _wanted(known: Subscriber | None) -> Filter | None:
    return known.filter if known is not None and known.state == ACTIVE else None


class SubscriberStage(FoldStage):
    """The fold, and a book of it that follows every step: the planner asks it within the same transaction."""

    def __init__(self) -> None:
        super().__init__(PROCESSOR)
        self.book = SubscriberBook()

    def load(self, connection: Connection) -> None:
        super().load(connection)
        self.book.load(self.tables)

    def run(self, connection: Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        before = {
            (event.page, event.data.subscriber): self.subscriber(event.page, event.data.subscriber)
            for event in events
            if isinstance(event.data, _OF_SUBSCRIBERS)
        }
        emitted = super().run(connection, events)
        for (page, key), known in before.items():
            self.book.changed(page, key, known, self.subscriber(page, key))
        return emitted

    @property
    def index(self) -> AudienceIndex:
        """The index over all that is folded."""
        return self.book.index

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        """Return a subscriber as folded so far."""
        return self.book.subscriber(page, key)

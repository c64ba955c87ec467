"""The distributed engine's planners: pure folds but for the audience, which each process follows by itself.

Subscriptions lie in partitions of their own, so a planner reads them off the log: it waits until it has followed them up to
the end that they have when it begins a batch of notices. Who is told is decided in ``plans``, and the plan is the record: a planner
that folds anew, because a store was lost, plans nothing that the log says was planned.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from consumers.delivery import plans
from consumers.delivery.planned_before import NEVER, Planned
from consumers.delivery.subscriber_book import IndexedTable, SubscriberBook
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIPTION_FOLD
from consumers.delivery.subscribers import SUBSCRIBERS
from schemas import events as e
from schemas.events import AnyEvent, Notice
from schemas.topics import NOTIFICATIONS, SUBSCRIPTIONS, by_shard
from schemas.vocabulary import Kind
from streams.domain.processor import Output, Processor, Unheard
from streams.domain.state import State, TableSpec
from streams.log.port import LogUnavailableError, Positions
from streams.runtime.follower import FollowedTable, Follower, FollowerStoppedError, Tables
from streams.runtime.shared_look import SharedLook

SUBJECTS, TOLD = "subjects", "told"
_WAIT_SECONDS = 5.0


class Audience(Protocol):
    """Whoever subscribed, as known to this process."""

    def catch_up(self, causes: Positions) -> None:
        """Wait until the book knows of all subscriptions that lie on the log now, and of what lies before ``causes``.

        Raises LogUnavailableError where that takes too long: then it is asked again.
        """

    def catch_up_wholly(self, causes: Positions) -> None:
        """Wait until the book knows of all subscriptions, pages and components that lie on the log now; raises likewise."""

    def still(self) -> AbstractContextManager[SubscriberBook]:
        """Give the book; it does not change within."""


class FollowedAudience:
    """An ``Audience`` that a follower of the subscribers' processor keeps; ``ends`` asks the log how far it reaches.

    The follower is to be made with ``on_load=audience.load`` and ``on_batch=audience.follow``, and with
    ``tables=audience.lean_tables()`` where nothing but planning is asked of it: then its book knows no addresses.
    """

    def __init__(self, ends: Callable[[str], Mapping[int, int]]) -> None:
        self.book = SubscriberBook()
        self._ends = ends
        self._look = SharedLook(lambda: self._reach(SUBSCRIPTIONS.name))
        self._follower: Follower | None = None

    def attach(self, follower: Follower) -> None:
        """Name the follower; before the first question."""
        self._follower = follower

    def lean_tables(self) -> Tables:
        """Return empty tables that hold of subscribers what planning needs."""
        others: dict[str, FollowedTable[Any]] = {
            spec.name: FollowedTable() for spec in SUBSCRIPTION_FOLD.tables if spec.name != SUBSCRIBERS
        }
        return {SUBSCRIBERS: IndexedTable(self.book.index), **others}

    def load(self, tables: Tables) -> None:
        """Begin with a snapshot."""
        self.book.load(tables)

    def follow(self, tables: Tables, pages: set[str]) -> None:
        """Take what a batch changed."""
        for (page, key), (_, after) in tables[SUBSCRIBERS].changed().items():
            self.book.changed(page, key, after)

    def catch_up(self, causes: Positions) -> None:
        # The pages' topic never rests: what was said there of components after the cause is of no matter to it.
        before = {place: end for place, end in causes.items() if place[0] in SUBSCRIPTION_FOLD.topics}
        self._wait_for({**before, **self._look.at_least_as_new()})

    def catch_up_wholly(self, causes: Positions) -> None:
        self._wait_for({place: end for topic in SUBSCRIPTION_FOLD.topics for place, end in self._reach(topic).items()})

    def _wait_for(self, ends: Positions) -> None:
        try:
            reached = self._followed().wait_for(ends, _WAIT_SECONDS)
        except FollowerStoppedError as error:
            raise LogUnavailableError("subscriptions are not followed any more") from error
        if not reached:
            raise LogUnavailableError("subscriptions are not followed to their end yet")

    @contextmanager
    def still(self) -> Iterator[SubscriberBook]:
        with self._followed().still():
            yield self.book

    def _followed(self) -> Follower:
        if self._follower is None:
            raise LogUnavailableError("subscriptions are not followed yet")
        return self._follower

    def _reach(self, topic: str) -> Positions:
        return {(topic, partition): end for partition, end in self._ends(topic).items()}


class Recollection(Protocol):
    """What the log knows of plans."""

    def of(self, page: str, notice: Notice) -> Planned:
        """Return whom the log says that a notice was planned for; raises LogError."""


def planner(audience: Audience, recollection: Recollection) -> Processor:
    """Return the processor that plans notices; it remembers by subject who was told."""

    def step(state: State, event: AnyEvent, out: Output) -> None:
        match event.data:
            case e.NoticePublished(notice=notice) if plans.is_planned(notice):
                before = recollection.of(event.page, notice) if out.again else NEVER
                newly = _newly(state, event.page, notice, before.recipients)
                if not (before.is_complete or isinstance(out, Unheard)):
                    with audience.still() as book:
                        planned = plans.plan(book, event.page, notice, _told(state, event.page, notice))
                    newly += planned.newly
                    plans.emit(out, planned)
                _remember(state, event.page, notice, list(dict.fromkeys(newly)))
            case _:
                out.ignore("nothing to plan")

    return Processor(
        name="planner",
        topics=(NOTIFICATIONS.name,),
        types=frozenset({"NoticePublished"}),
        tables=(TableSpec(SUBJECTS, tuple[str, ...], lazy=True), TableSpec(TOLD, tuple[str, ...], lazy=True)),
        step=step,
        prefetch=_subject_of,
        recalls=True,
        begins=audience.catch_up,
    )


def asker(audience: Audience) -> Processor:
    """Return the processor that asks new subscribers to confirm, and mails others their link: each lies under its own key."""

    def step(state: State, event: AnyEvent, out: Output) -> None:
        assert not state, "it remembers nothing"
        match event.data:
            case e.SubscriberAdded(confirmed=False) as added:
                with audience.still() as book:
                    asked = plans.confirmation(book, event, added)
                for data in asked:
                    out.emit(data, event.occurred_at)
            case e.ConfirmationRequested() as requested:
                with audience.still() as book:
                    mailed = plans.link_mail(book, event, requested)
                for data in mailed:
                    out.emit(data, event.occurred_at)
            case _:
                out.ignore("nothing to ask")

    return Processor(
        "asker",
        (SUBSCRIPTIONS.name,),
        frozenset({"SubscriberAdded", "ConfirmationRequested"}),
        (),
        step,
        begins=audience.catch_up_wholly,
    )


def _subject_of(event: AnyEvent) -> Iterator[tuple[str, str, str]]:
    if isinstance(event.data, e.NoticePublished):
        yield SUBJECTS, event.page, event.data.notice.subject_id


def _told(state: State, page: str, notice: Notice) -> Iterator[str]:
    for row in state[SUBJECTS].get(page, notice.subject_id) or ():
        yield from state[TOLD].get(page, row) or ()


def _newly(state: State, page: str, notice: Notice, planned: Sequence[str]) -> list[str]:
    """Return who of those in a plan had not heard of the subject before, as ``plans.plan`` says it."""
    if not planned or notice.kind is Kind.REMINDER:
        return []
    told = set(_told(state, page, notice))
    return [one for one in planned if one not in told]


def _remember(state: State, page: str, notice: Notice, newly: list[str]) -> None:
    """Note who heard of the subject, a row for each shard: a million ids are too many for one."""
    shards = sorted(by_shard(newly).items())
    rows = {f"{notice.subject_id}/{notice.update}/{shard}": tuple(ids) for shard, ids in shards}
    known: tuple[str, ...] = state[SUBJECTS].get(page, notice.subject_id) or ()
    if rows and not rows.keys() <= set(known):
        for row, ids in rows.items():
            state[TOLD].put(page, row, ids)
        state[SUBJECTS].put(page, notice.subject_id, (*known, *(row for row in rows if row not in known)))

"""The planner: turns a notice into the record of whom it is meant for, and a sign-up into its confirmation.

The plan reads subscriptions as folded up to the notice's place on the log, and is the record from then on.
"""

from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection

import msgspec

from consumers.delivery import audience
from consumers.delivery.subscribers import ACTIVE, PENDING, SubscriberStage
from schemas import events as e
from schemas.events import AnyEvent, Event, EventData, Notice
from schemas.ids import derive
from schemas.topics import NOTIFICATIONS, SUBSCRIPTIONS, shard_of
from schemas.vocabulary import Impact, Kind

CHUNK = 1_000
_TOLD = """create table if not exists told_by_update (
    page text not null, subject text not null, update_id text not null, subscribers blob not null,
    primary key (page, subject, update_id)
) strict"""
_IDS = msgspec.json.Decoder(list[str])


class PlannerStage:
    """A ``Stage`` behind the subscribers'. What it emits is not made anew by a replay: the plan is the record."""

    name = "planner"
    topics = frozenset({NOTIFICATIONS.name, SUBSCRIPTIONS.name})
    types = frozenset({"NoticePublished", "SubscriberAdded"})

    def __init__(self, subscribers: SubscriberStage) -> None:
        self._subscribers = subscribers
        self.waits_for: tuple[str, ...] = (subscribers.name,)
        self.batch = 20

    def load(self, connection: Connection) -> None:
        connection.execute(_TOLD)

    def run(self, connection: Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        emitted: list[AnyEvent] = []
        for event in events:
            match event.data:
                case e.NoticePublished(notice=notice) if notice.kind is not Kind.CONFIRMATION:
                    emitted += self._plan(connection, event, notice)
                case e.SubscriberAdded(confirmed=False) as added:
                    emitted += self._ask(event, added)
                case _:
                    pass
        return emitted

    def save(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...

    def _plan(self, connection: Connection, event: AnyEvent, notice: Notice) -> list[AnyEvent]:
        page = event.page
        asked = audience.question(notice, lambda component: self._subscribers.lineage(page, component))
        index = self._subscribers.index
        matched = index.numbers(page, asked)
        again = index.wanting(page, self._told_before(connection, page, notice), notice.kind)
        newly = matched - again
        if newly and notice.kind is not Kind.REMINDER:
            connection.execute(
                "insert or ignore into told_by_update (page, subject, update_id, subscribers) values (?, ?, ?, ?)",
                (page, notice.subject_id, notice.update, msgspec.json.encode(index.ids(page, newly))),
            )
        # By channel in the order of their ids: it is that of the ledger's indexes.
        plans = _chunks(notice, index.by_channel(page, newly | again))
        return [_caused(event, plan, rank) for rank, plan in enumerate(plans)]

    @staticmethod
    def _told_before(connection: Connection, page: str, notice: Notice) -> Iterator[str]:
        # Once told, told to the end: whoever heard of the outbreak hears of the all-clear, whatever it reaches.
        rows = connection.execute(
            "select subscribers from told_by_update where page = ? and subject = ?", (page, notice.subject_id)
        )
        for (subscribers,) in rows:
            yield from _IDS.decode(subscribers)

    def _ask(self, event: AnyEvent, added: e.SubscriberAdded) -> list[AnyEvent]:
        subscriber = added.subscriber
        settings = self._subscribers.settings(event.page)
        if settings is None:
            return []
        notice = Notice(
            kind=Kind.CONFIRMATION,
            update=derive("confirmation", event.id),
            subject_id=subscriber,
            title=settings.name,
            body="",
            status="pending",
            impact=Impact.NONE,
            impact_chosen=False,
            changes=[],
            affects=[],
            components=[],
            page_name=settings.name,
            page_url=settings.url,
            timezone=settings.timezone,
            promise_at=None,
            started_at=event.recorded_at,
            published_at=event.recorded_at,
        )
        known = self._subscribers.subscriber(event.page, subscriber)
        wanted = known is not None and known.state in (ACTIVE, PENDING)
        plans = _chunks(notice, [(added.channel, [subscriber])] if wanted else [])
        return [_caused(event, data, rank) for rank, data in enumerate([e.NoticePublished(notice), *plans])]


def _chunks(notice: Notice, recipients: Iterable[tuple[str, list[str]]]) -> list[e.NotificationsPlanned]:
    plans: list[e.NotificationsPlanned] = []
    for channel, members in recipients:
        for start in range(0, len(members), CHUNK):
            chunk = len(plans)
            plans.append(
                e.NotificationsPlanned(
                    notice.update, notice.subject_id, notice.kind, channel, chunk,
                    shard_of(notice.update, chunk), members[start : start + CHUNK],
                )
            )  # fmt: skip
    return plans


def _caused(cause: AnyEvent, data: EventData, rank: int) -> AnyEvent:
    return Event(
        derive("plan", cause.id, str(rank)),
        cause.page,
        cause.occurred_at,
        cause.recorded_at,
        "tocsin",
        cause.id,
        cause.correlation_id or cause.id,
        cause.drill,
        data,
    )

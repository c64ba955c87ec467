"""The planner: turns a notice into the record of whom it is meant for, and a sign-up into its confirmation.

The plan reads subscriptions as folded up to the notice's place on the log, and is the record from then on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from consumers.delivery import audience
from consumers.delivery.subscribers import ACTIVE, PENDING, SubscriberStage
from schemas import events as e
from schemas.events import AnyEvent, Event, EventData, Notice
from schemas.ids import derive
from schemas.topics import NOTIFICATIONS, SUBSCRIPTIONS, shard_of
from schemas.vocabulary import Impact, Kind

CHUNK = 1_000
_TOLD = """create table if not exists told (
    page text not null, subject text not null, subscriber text not null,
    primary key (page, subject, subscriber)
) strict, without rowid"""


class PlannerStage:
    """A ``Stage`` behind the subscribers'. What it emits is not made anew by a replay: the plan is the record."""

    name = "planner"
    topics = frozenset({NOTIFICATIONS.name, SUBSCRIPTIONS.name})
    types = frozenset({"NoticePublished", "SubscriberAdded"})

    def __init__(self, subscribers: SubscriberStage) -> None:
        self._subscribers = subscribers
        self.waits_for: tuple[str, ...] = (subscribers.name,)

    def load(self, connection: Connection) -> None:
        connection.execute(_TOLD)

    def run(self, connection: Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        emitted: list[AnyEvent] = []
        for event in events:
            match event.data:
                case e.NoticePublished(notice=notice) if notice.kind is not Kind.CONFIRMATION:
                    emitted += self._plan(connection, event, notice)
                case e.SubscriberAdded(confirmed=False, subscriber=subscriber):
                    emitted += self._ask(event, subscriber)
                case _:
                    pass
        return emitted

    def save(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...

    def _plan(self, connection: Connection, event: AnyEvent, notice: Notice) -> list[AnyEvent]:
        page = event.page
        asked = audience.question(notice, lambda component: self._subscribers.lineage(page, component))
        matched = self._subscribers.index.match(page, asked)
        told = self._told_before(connection, page, notice)
        recipients = list(dict.fromkeys([*matched, *told]))
        if notice.kind is not Kind.REMINDER:
            connection.executemany(
                "insert or ignore into told (page, subject, subscriber) values (?, ?, ?)",
                [(page, notice.subject_id, subscriber) for subscriber in recipients],
            )
        return [_caused(event, plan, index) for index, plan in enumerate(self._chunks(page, notice, recipients))]

    def _told_before(self, connection: Connection, page: str, notice: Notice) -> list[str]:
        # Once told, told to the end: whoever heard of the outbreak hears of the all-clear, whatever it reaches.
        rows = connection.execute(
            "select subscriber from told where page = ? and subject = ?", (page, notice.subject_id)
        ).fetchall()
        wants = self._subscribers.index.wants
        return [subscriber for (subscriber,) in rows if wants(page, subscriber, notice.kind)]

    def _chunks(self, page: str, notice: Notice, recipients: Iterable[str]) -> list[e.NotificationsPlanned]:
        by_channel: dict[str, list[str]] = defaultdict(list)
        for subscriber in recipients:
            known = self._subscribers.subscriber(page, subscriber)
            if known is not None and known.state in (ACTIVE, PENDING):
                by_channel[known.channel].append(subscriber)
        plans: list[e.NotificationsPlanned] = []
        for channel, members in sorted(by_channel.items()):
            for start in range(0, len(members), CHUNK):
                chunk = len(plans)
                plans.append(
                    e.NotificationsPlanned(
                        notice.update, notice.subject_id, notice.kind, channel, chunk,
                        shard_of(notice.update, chunk), members[start : start + CHUNK],
                    )
                )  # fmt: skip
        return plans

    def _ask(self, event: AnyEvent, subscriber: str) -> list[AnyEvent]:
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
        plans = self._chunks(event.page, notice, [subscriber])
        return [_caused(event, data, rank) for rank, data in enumerate([e.NoticePublished(notice), *plans])]


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

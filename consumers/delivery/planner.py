"""The planner: turns a notice into the record of whom it is meant for, and a sign-up into its confirmation.

The plan reads subscriptions as folded up to the notice's place on the log, and is the record from then on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
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
        newly = [subscriber for subscriber in matched if subscriber not in told] if told else matched
        if newly and notice.kind is not Kind.REMINDER:
            connection.execute(
                "insert or ignore into told_by_update (page, subject, update_id, subscribers) values (?, ?, ?, ?)",
                (page, notice.subject_id, notice.update, msgspec.json.encode(newly)),
            )
        wants = self._subscribers.index.wants
        again = [subscriber for subscriber in told if wants(page, subscriber, notice.kind)]
        recipients = sorted([*newly, *again])  # in the order of the ledger's indexes
        return [_caused(event, plan, index) for index, plan in enumerate(self._chunks(page, notice, recipients))]

    @staticmethod
    def _told_before(connection: Connection, page: str, notice: Notice) -> set[str]:
        # Once told, told to the end: whoever heard of the outbreak hears of the all-clear, whatever it reaches.
        rows = connection.execute(
            "select subscribers from told_by_update where page = ? and subject = ?", (page, notice.subject_id)
        )
        return {subscriber for (subscribers,) in rows for subscriber in _IDS.decode(subscribers)}

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

"""The embedded planner: turns a notice into the record of whom it is meant for, and a sign-up into its confirmation.

The plan reads subscriptions as folded up to the notice's place on the log, and is the record from then on. Who is told is
decided in ``plans``; the distributed engine's planner is ``fleet_planner``.
"""

from collections.abc import Iterator, Sequence
from sqlite3 import Connection

import msgspec

from consumers.delivery import plans
from consumers.delivery.subscriber_stage import SubscriberStage
from schemas import events as e
from schemas.events import AnyEvent, Notice
from schemas.shapes import decoder
from schemas.topics import NOTIFICATIONS, SUBSCRIPTIONS
from streams.domain.processor import Output

_TOLD = """create table if not exists told_by_update (
    page text not null, subject text not null, update_id text not null, subscribers blob not null,
    primary key (page, subject, update_id)
) strict"""
_IDS = decoder(list[str])


class PlannerStage:
    """A ``Stage`` behind the subscribers'. What it emits is not made anew by a replay: the plan is the record."""

    name = "planner"
    topics = frozenset({NOTIFICATIONS.name, SUBSCRIPTIONS.name})
    types = frozenset({"NoticePublished", "SubscriberAdded", "ConfirmationRequested"})

    def __init__(self, subscribers: SubscriberStage) -> None:
        self._subscribers = subscribers
        self.waits_for: tuple[str, ...] = (subscribers.name,)
        self.batch = 20

    def load(self, connection: Connection) -> None:
        connection.execute(_TOLD)

    def run(self, connection: Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        emitted: list[AnyEvent] = []
        for event in events:
            out = Output(event)
            match event.data:
                case e.NoticePublished(notice=notice) if plans.is_planned(notice):
                    self._plan(connection, event.page, notice, out)
                case e.SubscriberAdded() as added:
                    for data in plans.confirmation(self._subscribers.book, event, added):
                        out.emit(data, event.occurred_at)
                case e.ConfirmationRequested() as requested:
                    for data in plans.link_mail(self._subscribers.book, event, requested):
                        out.emit(data, event.occurred_at)
                case _:
                    pass
            emitted += out.emitted
        return emitted

    def save(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...

    def _plan(self, connection: Connection, page: str, notice: Notice, out: Output) -> None:
        planned = plans.plan(self._subscribers.book, page, notice, self._told_before(connection, page, notice))
        if planned.newly:
            connection.execute(
                "insert or ignore into told_by_update (page, subject, update_id, subscribers) values (?, ?, ?, ?)",
                (page, notice.subject_id, notice.update, msgspec.json.encode(planned.newly)),
            )
        plans.emit(out, planned)

    @staticmethod
    def _told_before(connection: Connection, page: str, notice: Notice) -> Iterator[str]:
        rows = connection.execute(
            "select subscribers from told_by_update where page = ? and subject = ?", (page, notice.subject_id)
        )
        for (subscribers,) in rows:
            yield from _IDS.decode(subscribers)

"""The ledger's stage: folds plans, claims and results into one row a notification, in the embedded engine's file.

What a row says follows from the log alone; who reads rows to send them is in ``queue``.
"""

from collections.abc import Sequence
from importlib.resources import files
from sqlite3 import Connection

import msgspec

from schemas import events as e
from schemas.events import AnyEvent, DeliveryResult
from schemas.ids import derive
from schemas.topics import DELIVERIES, NOTIFICATIONS

TABLES = ("notices", "ledger")
_UPDATE_DIGITS = 16
# The database makes a row for each recipient by itself: a statement a plan, not a value bound for each field.
_INSERT = """insert or ignore into ledger (notification, page, subject, update_id, subscriber, channel, shard, state, reason,
  worker, attempts, at, due)
select ? || value, ?, ?, ?, value, ?, ?, 'planned', '', '', 0, ?, ? from json_each(?)"""


def notification_id(update: str, subscriber: str) -> str:
    """Return the id of the notification of an update to a subscriber: the same however often it is planned.

    It begins with the update and ends with the subscriber, so that a plan in the order of its subscribers lies in one
    place of the ledger's indexes: a million ids at random would dirty every page of them again and again.
    """
    return _of_update(update) + subscriber


def _of_update(update: str) -> str:
    return derive("notification", update)[:_UPDATE_DIGITS]


class LedgerStage:
    """A ``Stage`` that writes rows of its own."""

    name = "ledger"
    topics = frozenset({NOTIFICATIONS.name, DELIVERIES.name})
    types = frozenset({"NoticePublished", "NotificationsPlanned", "NotificationsClaimed", "DeliveriesRecorded"})
    waits_for: tuple[str, ...] = ()
    batch = 20
    tables = TABLES

    def load(self, connection: Connection) -> None:
        for statement in (files("consumers.delivery") / "ledger.sql").read_text("utf-8").split(";"):
            connection.execute(statement)

    def run(self, connection: Connection, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        for event in events:
            match event.data:
                case e.NoticePublished() as published:
                    _published(connection, event, published)
                case e.NotificationsPlanned() as planned:
                    _planned(connection, event, planned)
                case e.NotificationsClaimed() as claimed:
                    _claimed(connection, event, claimed)
                case e.DeliveriesRecorded() as recorded:
                    for result in recorded.results:
                        _recorded(connection, event, result)
                case _:
                    pass
        return []

    def save(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...


def _published(connection: Connection, event: AnyEvent, published: e.NoticePublished) -> None:
    notice = published.notice
    connection.execute(
        "insert or ignore into notices (update_id, page, subject, kind, notice) values (?, ?, ?, ?, ?)",
        (notice.update, event.page, notice.subject_id, notice.kind, msgspec.json.encode(notice)),
    )


def _planned(connection: Connection, event: AnyEvent, planned: e.NotificationsPlanned) -> None:
    recipients = msgspec.json.encode(planned.recipients).decode()
    connection.execute(
        _INSERT,
        (
            _of_update(planned.update), event.page, planned.subject_id, planned.update, planned.channel, planned.shard,
            event.recorded_at, event.recorded_at, recipients,
        ),
    )  # fmt: skip


def _claimed(connection: Connection, event: AnyEvent, claimed: e.NotificationsClaimed) -> None:
    # Only what waits can be claimed: a second claim, or one that comes late, changes nothing.
    connection.executemany(
        "update ledger set state = 'claimed', worker = ?, attempts = attempts + 1, at = ?, due = null, reason = ''"
        " where notification = ? and due is not null",
        [(claimed.worker, event.recorded_at, notification) for notification in claimed.notifications],
    )


def _recorded(connection: Connection, event: AnyEvent, result: DeliveryResult) -> None:
    # A notification that reached its end stays there, but for what the provider later says of a sent one.
    connection.execute(
        "update ledger set state = ?, reason = ?, at = ?, due = ? where notification = ?"
        " and (state in ('planned', 'claimed', 'in_doubt') or (state = 'sent' and ? in ('delivered', 'failed')))",
        (
            result.state.value,
            result.reason,
            event.recorded_at,
            result.retry_at,
            result.notification,
            result.state.value,
        ),
    )

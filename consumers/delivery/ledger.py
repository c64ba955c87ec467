"""The ledger's stage: folds plans, claims and results into one row a notification, in the embedded engine's file.

What a row says follows from the log alone, by the rules of ``ledger_rules``; who reads rows to send them is ``stored_queue``.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from operator import attrgetter
from sqlite3 import Connection

import msgspec

from consumers.delivery.ledger_rules import (
    REDRIVEN,
    attempts_after,
    counts,
    due_after,
    held_until,
    id_prefix,
    keeps_receipt,
    redriven,
)
from schemas import events as e
from schemas.events import AnyEvent, DeliveryResult, Micros
from schemas.topics import DELIVERIES, NOTIFICATIONS
from schemas.vocabulary import NotificationState

TABLES = ("notices", "updates", "ledger")
OVERTAKEN: Micros = 2**53 - 1
"""When something is due that waits behind a newer update for the same endpoint: never; it waits to be recorded so."""
# The database makes a row for each recipient by itself: a statement a plan, not a value bound for each field.
_INSERT = """insert or ignore into ledger (notification, page, subject, update_id, subscriber, channel, shard, state, reason,
  worker, attempts, at, due, turn)
select ? || value, ?, ?, ?, value, ?, ?, 'planned', '', '', 0, ?, ?, ? from json_each(?)"""
_HAS_OTHERS = "select 1 from updates where subject = ? and update_id <> ? limit 1"
_OVERTAKE = """update ledger as l set due = ?, turn = null where l.subject = ? and l.subscriber in (select value from json_each(?))
  and l.due < ? and exists (
    select 1 from ledger n where n.subject = l.subject and n.subscriber = l.subscriber and n.seq > l.seq)"""
# A statement for all that are alike, which are a thousand where a provider takes a thousand with one request: within it
# the database needs no interpreter, which is then the sender's.
_CLAIM = """update ledger set state = 'claimed', worker = ?, attempts = attempts + 1, at = ?, due = null, turn = null, reason = ''
where notification in (select value from json_each(?)) and due is not null"""
_RECORD = f"""update ledger as l set state = :state, at = :at, turn = null,
  reason = iif(l.state in (select value from json_each(:keeping)), l.reason, :reason),
  attempts = l.attempts - (l.state in (select value from json_each(:untried))),
  held_until = max(l.held_until, iif(l.state in (select value from json_each(:holding)), :held, 0)),
  due = iif(:due is not null and exists (
    select 1 from ledger n where n.subject = l.subject and n.subscriber = l.subscriber and n.seq > l.seq), {OVERTAKEN}, :due)
where l.notification in (select value from json_each(:notifications))
  and (l.state || iif(l.worker = :worker, ' held', '')) in (select value from json_each(:counting))"""
_ENDED = "select state, at, due, subject, subscriber, seq from ledger where notification = ?"
_IS_OVERTAKEN = "select 1 from ledger where subject = ? and subscriber = ? and seq > ? limit 1"


class LedgerStage:
    """A ``Stage`` that writes rows of its own."""

    name = "ledger"
    topics = frozenset({NOTIFICATIONS.name, DELIVERIES.name})
    types = frozenset(
        {
            "NoticePublished",
            "NotificationsPlanned",
            "NotificationsClaimed",
            "DeliveriesRecorded",
            "NotificationsRedriven",
        }
    )
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
                    _recorded(connection, event, recorded)
                case e.NotificationsRedriven() as redrive:
                    _redriven(connection, event, redrive)
                case _:
                    pass
        return []

    def save(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...


def _published(connection: Connection, event: AnyEvent, published: e.NoticePublished) -> None:
    notice = published.notice
    connection.execute(
        "insert or ignore into notices (update_id, page, subject, kind, at, notice) values (?, ?, ?, ?, ?, ?)",
        (notice.update, event.page, notice.subject_id, notice.kind, notice.published_at, msgspec.json.encode(notice)),
    )


def _planned(connection: Connection, event: AnyEvent, planned: e.NotificationsPlanned) -> None:
    recipients = _json(planned.recipients)
    connection.execute(
        _INSERT,
        (
            id_prefix(planned.subject_id, planned.update), event.page, planned.subject_id, planned.update,
            planned.channel, planned.shard, event.recorded_at, event.recorded_at,
            max(0, event.recorded_at + planned.turn), recipients,
        ),
    )  # fmt: skip
    # Only the newest of a subject's updates goes out. The first one overtakes nobody, and most people hear of it alone.
    connection.execute("insert or ignore into updates (subject, update_id) values (?, ?)", _update(planned))
    if connection.execute(_HAS_OTHERS, _update(planned)).fetchone():
        connection.execute(_OVERTAKE, (OVERTAKEN, planned.subject_id, recipients, OVERTAKEN))


def _update(planned: e.NotificationsPlanned) -> tuple[str, str]:
    return planned.subject_id, planned.update


def _claimed(connection: Connection, event: AnyEvent, claimed: e.NotificationsClaimed) -> None:
    connection.execute(_CLAIM, (claimed.worker, event.recorded_at, _json(claimed.notifications)))


def _recorded(connection: Connection, event: AnyEvent, recorded: e.DeliveriesRecorded) -> None:
    for _, some in groupby(recorded.results, _but_for_whom):
        results = list(some)
        alike = results[0]
        values = {
            "state": alike.state.value,
            "reason": alike.reason,
            "at": event.recorded_at,
            "due": due_after(alike, event.recorded_at),
            "held": alike.retry_at or 0,
            "worker": recorded.worker,
            "notifications": _json([result.notification for result in results]),
        }
        connection.execute(_RECORD, values | _rules(alike.state, attempted=alike.attempted))


_but_for_whom = attrgetter(*(field for field in DeliveryResult.__struct_fields__ if field != "notification"))


@cache
def _rules(result: NotificationState, *, attempted: bool) -> dict[str, str]:
    """Return what ``ledger_rules`` says of a result, as lists of the states that a row may be in."""
    alike = DeliveryResult("", result, "", 1, attempted)
    counting = [state for state in NotificationState if counts(state, result, holder=False)]
    of_holders = [f"{state} held" for state in NotificationState if counts(state, result, holder=True)]
    return {
        "counting": _json([*counting, *of_holders]),
        "keeping": _json([state for state in NotificationState if keeps_receipt(state, result)]),
        "holding": _json([state for state in NotificationState if held_until(state, alike)]),
        "untried": _json([state for state in NotificationState if attempts_after(state, 1, alike) == 0]),
    }


def _redriven(connection: Connection, event: AnyEvent, redrive: e.NotificationsRedriven) -> None:
    at = event.recorded_at
    for notification in redrive.notifications:
        row = connection.execute(_ENDED, (notification,)).fetchone()
        state = (
            None
            if row is None
            else redriven(NotificationState(row[0]), row[1], row[2], at, even_in_doubt=redrive.even_in_doubt)
        )
        if state is None:
            continue
        due = OVERTAKEN if connection.execute(_IS_OVERTAKEN, row[3:]).fetchone() else at
        connection.execute(
            "update ledger set state = ?, reason = ?, worker = '', attempts = 0, at = ?, due = ?, turn = null,"
            " held_until = ? where notification = ?",
            (state.value, REDRIVEN, at, due, at, notification),
        )


def _json(values: Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()

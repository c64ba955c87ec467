"""What waits to be sent, read from the ledger's rows: a channel's next notifications, and those in somebody's hands.

Reads only. What is taken is claimed on the log, and the ledger follows the log.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from schemas.events import Micros, Notice

_COLUMNS = (
    "l.notification, l.page, l.subject, l.update_id, l.subscriber, l.channel, l.shard, l.state, l.reason, l.attempts,"
    " l.at, l.seq"
)
# Of the updates of one subject that wait for one endpoint only the newest goes out, and nothing overtakes what is in
# somebody's hands.
_NEXT = f"""select {_COLUMNS} from ledger l indexed by ledger_queue where l.channel = ? and l.due <= ? and not exists (
  select 1 from ledger o where o.subject = l.subject and o.subscriber = l.subscriber and o.seq <> l.seq
  and (o.state = 'claimed' or (o.due is not null and o.seq > l.seq)))
order by l.due, l.seq limit ?"""
_OLDER = f"""select {_COLUMNS} from ledger l where l.subject = ? and l.subscriber = ? and l.seq < ?
and l.due is not null"""
_EVER_LEFT = """select 1 from ledger where subject = ? and subscriber = ? and seq < ?
and state in ('sent', 'delivered', 'in_doubt', 'claimed') limit 1"""
_NEVER_LEFT = """select 1 from ledger where subject = ? and subscriber = ? and seq < ?
and state in ('superseded', 'failed', 'suppressed') limit 1"""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One row of the ledger."""

    notification: str
    page: str
    subject: str
    update: str
    subscriber: str
    channel: str
    shard: int
    state: str
    reason: str
    attempts: int
    at: Micros
    seq: int


class Rows(Protocol):
    """Reads committed rows of the embedded engine's file."""

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that ``statement`` selects."""


class DeliveryQueue:
    """The ledger as senders and reports read it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._notices: dict[str, Notice] = {}

    def next(self, channel: str, now: Micros, limit: int) -> list[Entry]:
        """Return up to ``limit`` notifications that may be sent now, oldest first, one for each subject and endpoint."""
        return [Entry(*row) for row in self._rows.query(_NEXT, (channel, now, limit))]

    def older(self, entry: Entry) -> list[Entry]:
        """Return what still waits of the same subject for the same endpoint and is older than ``entry``."""
        return [Entry(*row) for row in self._rows.query(_OLDER, (entry.subject, entry.subscriber, entry.seq))]

    def ever_left(self, entry: Entry) -> bool:
        """Whether an earlier message of the subject was sent to the endpoint, or may have been."""
        return bool(self._rows.query(_EVER_LEFT, (entry.subject, entry.subscriber, entry.seq)))

    def never_left(self, entry: Entry) -> bool:
        """Whether there were earlier messages of the subject for the endpoint and certainly none of them was sent."""
        where = (entry.subject, entry.subscriber, entry.seq)
        return not self.ever_left(entry) and bool(self._rows.query(_NEVER_LEFT, where))

    def held_by(self, worker: str, notifications: Sequence[str]) -> set[str]:
        """Return those of ``notifications`` whose claim by ``worker`` took effect."""
        marks = ",".join("?" * len(notifications))
        statement = (
            f"select notification from ledger where state = 'claimed' and worker = ? and notification in ({marks})"
        )
        return {row[0] for row in self._rows.query(statement, (worker, *notifications))}

    def claimed(self) -> list[Entry]:
        """Return all notifications in somebody's hands."""
        return [Entry(*row) for row in self._rows.query(f"select {_COLUMNS} from ledger l where l.state = 'claimed'")]

    def due_at(self, channel: str) -> Micros | None:
        """Return when the next notification of a channel may be sent, None where nothing waits."""
        rows = self._rows.query("select min(due) from ledger where channel = ? and due is not null", (channel,))
        found: Micros | None = rows[0][0]
        return found

    def oldest_unsent(self, channel: str) -> Micros | None:
        """Return since when the longest-waiting notification of a channel waits."""
        rows = self._rows.query("select min(at) from ledger where channel = ? and due is not null", (channel,))
        found: Micros | None = rows[0][0]
        return found

    def notice(self, update: str) -> Notice:
        """Return what an update has to tell; raises LookupError for one that was never published."""
        known = self._notices.get(update)
        if known is None:
            rows = self._rows.query("select notice from notices where update_id = ?", (update,))
            if not rows:
                raise LookupError("there is no such notice")
            if len(self._notices) > 500:
                self._notices.clear()
            known = self._notices[update] = msgspec.json.decode(rows[0][0], type=Notice)
        return known

    def of_subject(self, page: str, subject: str, after: int, limit: int) -> list[Entry]:
        """Return the notifications of an incident or maintenance in the order of their planning."""
        statement = (
            f"select {_COLUMNS} from ledger l where l.page = ? and l.subject = ? and l.seq > ? order by l.seq limit ?"
        )
        return [Entry(*row) for row in self._rows.query(statement, (page, subject, after, limit))]

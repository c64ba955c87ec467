"""The embedded engine's ``DeliveryQueue``: reads the rows that ``ledger`` writes into the engine's file, and writes none."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from consumers.delivery.ledger import OVERTAKEN
from consumers.delivery.ledger_rules import LEFT, LISTED, TAKEN
from consumers.delivery.queue import WHOLE, Entry, Holding, Notices, Overtaken, Share
from schemas.events import Micros, Notice
from schemas.shapes import decoder
from schemas.vocabulary import NotificationState
from streams.runtime.notified import Notified

_COLUMNS = (
    "l.notification, l.page, l.subject, l.update_id, l.subscriber, l.channel, l.shard, l.state, l.reason, l.worker,"
    " l.attempts, l.at, l.seq, l.held_until"
)
_SIBLING = "select 1 from ledger o where o.subject = l.subject and o.subscriber = l.subscriber and o.seq <> l.seq"
# What is overtaken is due at the end of time: what is passed over here waits for a claim, of which there are few.
# What is asked for with each request comes as one row of JSON: for each row that it reads sqlite3 gives up the interpreter,
# which another thread takes meanwhile.
_AS_JSON = f"""select json_group_array(json_array(first, json_array({_COLUMNS.replace("l.", "")}))) from ({{}})"""
_AGAIN = f"""select l.due first, {_COLUMNS} from ledger l indexed by ledger_queue where l.channel = ? and l.due <= ?
and l.turn is null and not exists ({_SIBLING} and o.state = 'claimed') order by l.due, l.seq limit ?"""
_FRESH = f"""select l.turn first, {_COLUMNS} from ledger l indexed by ledger_fresh where l.channel = ? and l.due <= ?
and l.turn is not null and not exists ({_SIBLING} and o.state = 'claimed') order by l.turn, l.seq limit ?"""
_OVERTAKEN = f"""select {_COLUMNS}, (select o.update_id from ledger o where o.subject = l.subject
  and o.subscriber = l.subscriber order by o.seq desc limit 1)
from ledger l indexed by ledger_queue where l.channel = ? and l.due = {OVERTAKEN} and l.turn is null order by l.seq limit ?"""
_HELD = f"""select json_group_array(one) filter (where not is_blocked), json_group_array(one) filter (where is_blocked)
from (select l.notification one, exists ({_SIBLING} and (o.state = 'claimed' or o.seq > l.seq)) is_blocked
from ledger l where l.state = 'claimed' and l.worker = ? and l.notification in (select value from json_each(?)))"""
_CLAIMED = f"""select {_COLUMNS} from ledger l indexed by ledger_claimed
where l.state = 'claimed' and l.channel = ? order by l.seq limit ?"""
_NEVER_LEFT = """select l.notification from ledger l join ledger o
on o.subject = l.subject and o.subscriber = l.subscriber and o.seq < l.seq
where l.notification in (select value from json_each(?))
group by l.notification having not max(o.state in (select value from json_each(?)))"""
_EARLIER = """select reason from ledger where subject = ? and subscriber = ? and seq < ? and reason <> ''
and state in (select value from json_each(?)) order by seq"""
_KNOWN = """select notification, subscriber, channel, shard, state from ledger
where notification in (select value from json_each(?)) and page = ?"""
_FIRST_AGAIN = f"""select {{}} from ledger l indexed by ledger_queue where l.channel = ? and l.due < {OVERTAKEN}
and l.turn is null and not exists ({_SIBLING} and o.state = 'claimed') order by l.due, l.seq limit 1"""
_FIRST_FRESH = f"""select {{}} from ledger l indexed by ledger_fresh where l.channel = ? and l.due is not null
and l.turn is not null and not exists ({_SIBLING} and o.state = 'claimed') order by l.turn, l.seq limit 1"""
_OF_SUBJECT = (
    f"""select {_COLUMNS} from ledger l where l.page = ? and l.subject = ? and l.seq > ? order by l.seq limit ?"""
)
_IN_STATE = {
    state: f"""select {_COLUMNS} from ledger l indexed by ledger_{state}
where l.page = ? and l.state = '{state}' and l.seq > ? order by l.seq limit ?"""
    for state in LISTED
}
_THREAD = f"select {_COLUMNS} from ledger l where l.subject = ? and l.subscriber = ? and l.page = ? order by l.seq"

_HELD_BACK = f"""select {_COLUMNS} from ledger l indexed by ledger_held where l.subscriber = ? and l.held_until > 0
and l.due is not null and l.due < {OVERTAKEN} and l.page = ? and l.state = 'planned' and (l.due <= ? or l.due = l.held_until)
and not exists ({_SIBLING} and o.state = 'claimed') order by l.due, l.seq limit ?"""
_LATELY = """select subject from notices where page = ? and at >= ? and kind in ('incident', 'maintenance')
group by subject order by max(at) desc, subject limit ?"""
_THREADS = f"""select {_COLUMNS} from ledger l where l.subject in (select value from json_each(?)) and l.subscriber = ?
and l.page = ? order by l.seq"""
_TAKEN = msgspec.json.encode(sorted(TAKEN)).decode()
_LEFT = msgspec.json.encode(sorted(LEFT)).decode()


class Rows(Protocol):
    """Reads committed rows of the embedded engine's file."""

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that ``statement`` selects."""


class StoredQueue:
    """Implements ``DeliveryQueue``. There is one process, so every share is the whole."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._notices = Notices()

    def next(self, channel: str, now: Micros, limit: int, share: Share = WHOLE) -> list[Entry]:
        asked = (channel, min(now, OVERTAKEN - 1), limit)
        found = [*self._first_of(_FRESH, asked), *self._first_of(_AGAIN, asked)]
        found.sort(key=_turn)
        return [entry for _, entry in found[:limit]]

    def overtaken(self, channel: str, limit: int, share: Share = WHOLE) -> list[Overtaken]:
        return [Overtaken(Entry(*row[:-1]), row[-1]) for row in self._rows.query(_OVERTAKEN, (channel, limit))]

    def held_by(self, worker: str, entries: Sequence[Entry]) -> Holding:
        [(free, blocked)] = self._rows.query(_HELD, (worker, _ids(entries)))
        names = decoder(frozenset[str]).decode
        return Holding(names(free), names(blocked))

    def claimed(self, channel: str, limit: int) -> list[Entry]:
        return self._entries(_CLAIMED, (channel, limit))

    def never_left(self, entries: Sequence[Entry]) -> frozenset[str]:
        return frozenset(row[0] for row in self._rows.query(_NEVER_LEFT, (_ids(entries), _LEFT)))

    def earlier(self, entry: Entry) -> tuple[str, ...]:
        older = (entry.subject, entry.subscriber, entry.seq, _TAKEN)
        return tuple(row[0] for row in self._rows.query(_EARLIER, older))

    def known(self, page: str, notifications: Sequence[str]) -> dict[str, Notified]:
        rows = self._rows.query(_KNOWN, (msgspec.json.encode(notifications).decode(), page))
        return {
            one: Notified(whose, channel, shard, NotificationState(state)) for one, whose, channel, shard, state in rows
        }

    def due_at(self, channel: str) -> Micros | None:
        return self._first("l.due", channel)

    def oldest_unsent(self, channel: str) -> Micros | None:
        return self._first("l.at", channel)

    def held(self, page: str, subscriber: str, now: Micros, limit: int) -> list[Entry]:
        return self._entries(_HELD_BACK, (subscriber, page, now, limit))

    def lately(self, page: str, since: Micros, limit: int) -> list[str]:
        return [row[0] for row in self._rows.query(_LATELY, (page, since, limit))]

    def threads(self, page: str, subscriber: str, subjects: Sequence[str]) -> list[Entry]:
        return self._entries(_THREADS, (msgspec.json.encode(subjects).decode(), subscriber, page))

    def notice(self, entry: Entry) -> Notice:
        return self.published(entry.page, entry.subject, entry.update)

    def published(self, page: str, subject: str, update: str) -> Notice:
        known = self._notices.get(update)
        if known is not None:
            return known
        rows = self._rows.query("select notice from notices where update_id = ?", (update,))
        if not rows:
            raise LookupError("there is no such notice")
        return self._notices.put(update, decoder(Notice).decode(rows[0][0]))

    def thread(self, page: str, subject: str, subscriber: str) -> list[Entry]:
        return self._entries(_THREAD, (subject, subscriber, page))

    def of_subject(self, page: str, subject: str, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
        found = self._entries(_OF_SUBJECT, (page, subject, _cursor(after), limit + 1))
        return found[:limit], str(found[limit - 1].seq) if len(found) > limit else None

    def in_state(
        self, page: str, state: NotificationState, after: str | None, limit: int
    ) -> tuple[list[Entry], str | None]:
        found = self._entries(_IN_STATE[state], (page, _cursor(after), limit + 1))
        return found[:limit], str(found[limit - 1].seq) if len(found) > limit else None

    def _entries(self, statement: str, values: Sequence[Any]) -> list[Entry]:
        return [Entry(*row) for row in self._rows.query(statement, values)]

    def _first_of(self, statement: str, asked: Sequence[Any]) -> list[tuple[int, Entry]]:
        [[rows]] = self._rows.query(_AS_JSON.format(statement), asked)
        return decoder(list[tuple[int, Entry]]).decode(rows)

    def _first(self, column: str, channel: str) -> Micros | None:
        found = [self._rows.query(each.format(column), (channel,)) for each in (_FIRST_FRESH, _FIRST_AGAIN)]
        return min((rows[0][0] for rows in found if rows), default=None)


def _turn(found: tuple[int, Entry]) -> tuple[int, int]:
    return found[0], found[1].seq


def _ids(entries: Sequence[Entry]) -> str:
    return msgspec.json.encode([entry.notification for entry in entries]).decode()


def _cursor(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("not a cursor of this list")
    return int(text)

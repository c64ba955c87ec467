"""The distributed engine's ``DeliveryQueue``: reads what the workers fold with ``ledger_processor``, and writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from typing import NamedTuple, Protocol

from consumers.delivery import ledger_processor as ledger
from consumers.delivery.ledger_processor import LEDGER, NOTICES, THREADS
from consumers.delivery.ledger_rules import EMPTY, LEFT, TAKEN, Item, Thread, notification_id, subscriber_of, thread_key
from consumers.delivery.queue import WHOLE, Entry, Holding, Notices, Overtaken, Share
from schemas.events import Micros, Notice
from schemas.topics import partition_of, shard_of
from schemas.vocabulary import NotificationState as State
from streams.domain.state import TableSpec
from streams.runtime.notified import Notified
from streams.runtime.partition_state import decoded, page_and_key
from streams.runtime.state_store import Part, Row

_MORE = 2
_SPECS: dict[str, TableSpec] = {spec.name: spec for spec in LEDGER.tables}


class Rows(Protocol):
    """The part of ``StateStore`` that the queue reads."""

    def fetch(self, processor: str, partition: int, wanted: Sequence[Row]) -> dict[Row, bytes]:
        """Return those of the rows that exist."""

    def read(self, processor: str, wanted: Mapping[int, Sequence[Row]]) -> dict[int, Part]:
        """Return those of the rows that exist by partition, with one question."""

    def ranked(
        self, processor: str, partition: int, ranking: str, upto: int | None, limit: int
    ) -> list[tuple[str, int]]:
        """Return members with their scores in ascending order of (score, member), none above ``upto``."""

    def ranked_of(
        self, processor: str, partitions: Sequence[int], ranking: str, upto: int | None, limit: int
    ) -> dict[int, list[tuple[str, int]]]:
        """Return what ``ranked`` returns of several partitions, with one question."""


class _Found(NamedTuple):
    """A thread where it stands in a ranking."""

    score: int
    member: str
    page: str
    thread: Thread


class FleetQueue:
    """Implements ``DeliveryQueue`` over the store. ``partitions`` is the number of the ledger's partitions.

    A call makes one or two round trips, and more only where others' shards lie before ours.
    """

    def __init__(self, store: Rows, partitions: int) -> None:
        self._store = store
        self._partitions = partitions
        self._notices = Notices()

    def next(self, channel: str, now: Micros, limit: int, share: Share = WHOLE) -> list[Entry]:
        waiting = [
            *self._ours(ledger.fresh(channel), None, limit, share),
            *self._ours(ledger.queue(channel), now, limit, share),
        ]
        # A row may be newer than the ranking that led to it, and have moved from one to the other meanwhile.
        found = {
            item.notification: (_turn(item), _entry(page, thread, item))
            for page, thread in waiting
            if (item := thread.next) is not None and item.due is not None and item.due <= now
        }
        in_turn = sorted(found.values(), key=lambda each: (each[0], each[1].notification))
        return self._published([entry for _, entry in in_turn[:limit]])

    def overtaken(self, channel: str, limit: int, share: Share = WHOLE) -> list[Overtaken]:
        partitions = share.partitions(self._partitions)
        threads = self._threads(partitions, ledger.overtaken(channel), None, limit).values()
        found = [
            Overtaken(_entry(page, thread, item), thread.planned[-1].update)
            for page, thread in chain.from_iterable(threads)
            if share.covers(thread.shard, self._partitions)
            for item in thread.overtaken
        ]
        return found[:limit]

    def held_by(self, worker: str, entries: Sequence[Entry]) -> Holding:
        mine: set[str] = set()
        blocked: set[str] = set()
        for entry, thread in self._threads_of(entries):
            item = thread.find(entry.notification)
            if item is None or item.state is not State.CLAIMED or item.worker != worker:
                continue
            # While a store is folded anew a claim may be known before its plan: whether it is the newest is not known then.
            is_free = item in thread.planned[-1:] and len(thread.claimed) == 1
            (mine if is_free else blocked).add(entry.notification)
        return Holding(frozenset(mine), frozenset(blocked))

    def claimed(self, channel: str, limit: int) -> list[Entry]:
        threads = self._threads(range(self._partitions), ledger.claimed(channel), None, limit).values()
        found = [
            _entry(page, thread, item)
            for page, thread in chain.from_iterable(threads)
            for item in thread.planned
            if item.state is State.CLAIMED
        ]
        return sorted(found, key=lambda entry: entry.at)[:limit]

    def never_left(self, entries: Sequence[Entry]) -> frozenset[str]:
        older = ((entry, thread.planned[: entry.seq]) for entry, thread in self._threads_of(entries))
        return frozenset(
            entry.notification for entry, items in older if items and not any(item.state in LEFT for item in items)
        )

    def earlier(self, entry: Entry) -> tuple[str, ...]:
        older = [item for _, thread in self._threads_of([entry]) for item in thread.planned[: entry.seq]]
        return tuple(item.reason for item in older if item.state in TAKEN and item.reason)

    def known(self, page: str, notifications: Sequence[str]) -> dict[str, Notified]:
        places: dict[int, list[str]] = defaultdict(list)
        for one in notifications:
            places[partition_of(f"{page}/{shard_of(subscriber_of(one))}", self._partitions)].append(one)
        found: dict[str, Notified] = {}
        for partition, some in places.items():
            rows: dict[str, Row] = {one: (THREADS, page, thread_key(one)) for one in some}
            values = self._store.fetch(LEDGER.name, partition, list(dict.fromkeys(rows.values())))
            for one, row in rows.items():
                thread: Thread = decoded(_SPECS[THREADS], values[row]) if row in values else EMPTY
                item = next((item for item in thread.planned if item.notification == one), None)
                if item is not None:
                    found[one] = Notified(thread.subscriber, thread.channel, thread.shard, item.state)
        return found

    def due_at(self, channel: str) -> Micros | None:
        return min((item.due for item in self._firsts(channel) if item.due is not None), default=None)

    def oldest_unsent(self, channel: str) -> Micros | None:
        return min((item.at for item in self._firsts(channel)), default=None)

    def held(self, page: str, subscriber: str, now: Micros, limit: int) -> list[Entry]:
        partition = partition_of(f"{page}/{shard_of(subscriber)}", self._partitions)
        members = self._store.ranked(LEDGER.name, partition, ledger.put_off(subscriber), None, limit)
        waiting = [(each, each.thread.next) for each in self._read(partition, members) if each.page == page]
        return [
            _entry(page, each.thread, item)
            for each, item in waiting
            if item is not None and item.state is State.PLANNED and item.due is not None
            if item.due <= now or item.due == item.held_until
        ]

    def lately(self, page: str, since: Micros, limit: int) -> list[str]:
        everywhere = range(self._partitions)
        found = self._store.ranked_of(LEDGER.name, everywhere, ledger.LATELY, -since, limit)
        wanted: dict[int, list[Row]] = {
            partition: [(NOTICES, *page_and_key(member)) for member, _ in members]
            for partition, members in found.items()
            if members
        }
        parts = self._store.read(LEDGER.name, wanted) if wanted else {}
        notices: list[Notice] = [
            decoded(_SPECS[NOTICES], parts[partition].rows[row])
            for partition, rows in wanted.items()
            for row in rows
            if row[1] == page and row in parts[partition].rows
        ]
        newest: dict[str, Micros] = {}
        for notice in notices:
            newest[notice.subject_id] = max(notice.published_at, newest.get(notice.subject_id, notice.published_at))
        return sorted(newest, key=lambda subject: (-newest[subject], subject))[:limit]

    def threads(self, page: str, subscriber: str, subjects: Sequence[str]) -> list[Entry]:
        partition = partition_of(f"{page}/{shard_of(subscriber)}", self._partitions)
        rows: list[Row] = [
            (THREADS, page, thread_key(notification_id(subject, "", subscriber))) for subject in dict.fromkeys(subjects)
        ]
        values = self._store.fetch(LEDGER.name, partition, rows)
        found: list[Thread] = [decoded(_SPECS[THREADS], values[row]) for row in rows if row in values]
        return [_entry(page, thread, item) for thread in found for item in thread.planned]

    def notice(self, entry: Entry) -> Notice:
        return self.published(entry.page, entry.subject, entry.update)

    def published(self, page: str, subject: str, update: str) -> Notice:
        known = self._notices.get(update)
        if known is not None:
            return known
        row = (NOTICES, page, update)
        partition = partition_of(f"{page}/{subject}", self._partitions)
        value = self._store.fetch(LEDGER.name, partition, [row]).get(row)
        if value is None:
            raise LookupError("there is no such notice")
        notice: Notice = decoded(_SPECS[NOTICES], value)
        return self._notices.put(update, notice)

    def thread(self, page: str, subject: str, subscriber: str) -> list[Entry]:
        row: Row = (THREADS, page, thread_key(notification_id(subject, "", subscriber)))
        partition = partition_of(f"{page}/{shard_of(subscriber)}", self._partitions)
        value = self._store.fetch(LEDGER.name, partition, [row]).get(row)
        thread: Thread = EMPTY if value is None else decoded(_SPECS[THREADS], value)
        return [_entry(page, thread, item) for item in thread.planned]

    def of_subject(self, page: str, subject: str, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
        return self._listed(page, ledger.of_subject(subject), after, limit, frozenset(State))

    def in_state(self, page: str, state: State, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
        return self._listed(page, ledger.in_state(state), after, limit, frozenset({state}))

    # --- inside ---

    def _listed(
        self, page: str, ranking: str, after: str | None, limit: int, states: frozenset[State]
    ) -> tuple[list[Entry], str | None]:
        """Return what is in one of ``states`` of the threads of a ranking, and the next cursor."""
        start = _cursor(after)
        found: list[Entry] = []
        # One more than the list and its successor take: the thread to go on with may have nothing left.
        for each in self._in_order(page, ranking, start, limit + 2):
            given = start.given if (each.score, each.member) == (start.score, start.member) else 0
            for number, item in enumerate(each.thread.planned[given:], given):
                if item.state not in states:
                    continue
                if len(found) == limit:
                    return found, f"{each.score}.{number}.{each.member}"
                found.append(_entry(page, each.thread, item))
        return found, None

    def _ours(self, ranking: str, upto: Micros | None, limit: int, share: Share) -> list[tuple[str, Thread]]:
        """Return what partitions have for us; where others' shards lie before ours, as many are read as it takes."""
        found: list[tuple[str, Thread]] = []
        left, asked = list(share.partitions(self._partitions)), limit
        while left:
            again = []
            for partition, threads in self._threads(left, ranking, upto, asked).items():
                ours = [each for each in threads if share.covers(each[1].shard, self._partitions)]
                if len(ours) >= limit or len(threads) < asked:
                    found += ours
                else:
                    again.append(partition)
            left, asked = again, asked * _MORE
        return found

    def _published(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those whose notices are there: another partition keeps them, which may be a moment behind."""
        unknown = {entry.update: entry for entry in entries if self._notices.get(entry.update) is None}
        wanted: dict[int, list[Row]] = defaultdict(list)
        for update, entry in unknown.items():
            partition = partition_of(f"{entry.page}/{entry.subject}", self._partitions)
            wanted[partition].append((NOTICES, entry.page, update))
        parts = self._store.read(LEDGER.name, wanted) if wanted else {}
        there = {row[2] for part in parts.values() for row in part.rows}
        for part in parts.values():
            for row, value in part.rows.items():
                self._notices.put(row[2], decoded(_SPECS[NOTICES], value))
        return [entry for entry in entries if entry.update not in unknown or entry.update in there]

    def _firsts(self, channel: str) -> Iterator[Item]:
        """Yield what is next in line, of what was never tried and of what is tried again."""
        for ranking in (ledger.fresh(channel), ledger.queue(channel)):
            threads = self._threads(range(self._partitions), ranking, None, 1).values()
            items = [item for _, thread in chain.from_iterable(threads) if (item := thread.next) is not None]
            if items:
                yield min(items, key=_turn)

    def _threads(
        self, partitions: Sequence[int], ranking: str, upto: int | None, limit: int
    ) -> dict[int, list[tuple[str, Thread]]]:
        """Return pages and threads in the order of a ranking, by partition."""
        members = self._store.ranked_of(LEDGER.name, partitions, ranking, upto, limit)
        wanted = {
            partition: [(THREADS, *page_and_key(member)) for member, _ in some]
            for partition, some in members.items()
            if some
        }
        parts = self._store.read(LEDGER.name, wanted) if wanted else {}
        found: dict[int, list[tuple[str, Thread]]] = {partition: [] for partition in partitions}
        for partition, rows in wanted.items():
            values = parts[partition].rows
            found[partition] = [(row[1], decoded(_SPECS[THREADS], values[row])) for row in rows if row in values]
        return found

    def _read(self, partition: int, members: Sequence[tuple[str, int]]) -> Iterator[_Found]:
        rows: list[Row] = [(THREADS, *page_and_key(member)) for member, _ in members]
        values = self._store.fetch(LEDGER.name, partition, rows) if rows else {}
        for row, (member, score) in zip(rows, members, strict=True):
            if row in values:
                yield _Found(score, member, row[1], decoded(_SPECS[THREADS], values[row]))

    def _threads_of(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Thread]]:
        places: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            places[partition_of(f"{entry.page}/{entry.shard}", self._partitions)].append(entry)
        for partition, there in places.items():
            rows: list[Row] = [(THREADS, entry.page, thread_key(entry.notification)) for entry in there]
            values = self._store.fetch(LEDGER.name, partition, rows)
            for entry, row in zip(there, rows, strict=True):
                if row in values:
                    yield entry, decoded(_SPECS[THREADS], values[row])

    def _in_order(self, page: str, ranking: str, start: "_Cursor", limit: int) -> Iterator[_Found]:
        """Yield the page's threads of a ranking from a place on, by when they were first planned."""
        lists = [self._from(partition, page, ranking, start, limit) for partition in range(self._partitions)]
        return merge(*lists, key=lambda each: (each.score, each.member))

    def _from(self, partition: int, page: str, ranking: str, start: "_Cursor", limit: int) -> Iterable[_Found]:
        asked = limit
        while True:
            members = self._store.ranked(LEDGER.name, partition, ranking, None, asked)
            wanted = [
                (member, score)
                for member, score in members
                if (score, member) >= (start.score, start.member) and page_and_key(member)[0] == page
            ]
            if len(wanted) >= limit or len(members) < asked:
                return self._read(partition, wanted[:limit])
            asked *= _MORE


class _Cursor(NamedTuple):
    """The thread to go on with, and how many of its notifications were given already."""

    score: int
    given: int
    member: str


def _turn(item: Item) -> Micros:
    return item.turn if item.turn is not None else item.due or 0


def _entry(page: str, thread: Thread, item: Item) -> Entry:
    return Entry(
        item.notification, page, thread.subject, item.update, thread.subscriber, thread.channel, thread.shard,
        item.state.value, item.reason, item.worker, item.attempts, item.at, thread.planned.index(item), item.held_until,
    )  # fmt: skip


def _cursor(text: str | None) -> _Cursor:
    if not text:
        return _Cursor(-1, 0, "")
    score, _, rest = text.partition(".")
    given, dot, member = rest.partition(".")
    if not (dot and all(part.isascii() and part.isdigit() and len(part) < 19 for part in (score, given))):
        raise ValueError("not a cursor of this list")
    return _Cursor(int(score), int(given), member)

"""What both engines are compared by: every row, every wish, every notification, and what is made of them for readers.

A picture is bytes by name, so that the first difference has a name. Left out are, and nothing else:

- the sequence numbers of the ledger and the version of a page's view, which are an engine's own counts;
- the order in which an index numbered subscribers: they lie in partitions, whose order among each other is nobody's;
- who was told by which notice, cut into rows by shard in a fleet: compared as sets by page, subject and update;
- of a notification when it was planned (it is the ``at`` of its first state, which embedded keeps alone);
- on Kafka, threads of which nothing was ever planned: claims of what does not exist, which embedded forgets at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from consumers.delivery import fleet_planner
from consumers.delivery.audience import Question, Reached
from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.ledger import OVERTAKEN
from consumers.delivery.ledger_processor import NOTICES, THREADS
from consumers.delivery.ledger_rules import LISTED, Thread
from consumers.delivery.queue import DeliveryQueue
from consumers.delivery.subscriber_book import SubscriberBook
from schemas.events import Cell, Micros
from schemas.topics import NOTIFICATIONS
from schemas.vocabulary import Audience, Impact, Kind
from tests.parity import world
from tests.parity.embedded import CHANNELS, EmbeddedEngine
from tests.parity.fleet import FleetEngine

Picture = dict[str, bytes]
_encode = msgspec.json.encode
_ELSEWHERE = (fleet_planner.SUBJECTS, fleet_planner.TOLD, THREADS, NOTICES)
"""Tables that the embedded engine keeps in a shape of its own."""
_MOST = 1_000_000


def of_embedded(engine: EmbeddedEngine) -> Picture:
    """Return the state of the embedded engine."""
    query = engine.backend.log.query
    found = {f"row {'/'.join(row[:4])}": row[4] for row in query("select stage, tbl, page, key, value from state")}
    found |= {f"wish {wish.stage}/{wish.page}/{wish.timer}": _encode(wish.due) for wish in engine.wishes()}
    found |= {f"notice {update}": notice for update, notice in query("select update_id, notice from notices")}
    told = query("select page, subject, update_id, subscribers from told_by_update")
    found |= {f"told {'/'.join(row[:3])}": _encode(sorted(msgspec.json.decode(row[3]))) for row in told}
    return found | _embedded_ledger(query)


def of_fleet(engine: FleetEngine) -> Picture:
    """Return the state of the distributed engine."""
    found = {f"wish {'/'.join(wish)}": _encode(due) for wish, due in engine.wishes().items()}
    told: dict[str, list[str]] = defaultdict(list)
    for processor, table, page, key, value in _fleet_rows(engine):
        if table == THREADS:
            found |= _thread(page, msgspec.json.decode(value, type=Thread))
        elif table == NOTICES:
            found[f"notice {key}"] = value
        elif table == fleet_planner.TOLD:
            told[f"told {page}/{key.rpartition('/')[0]}"] += msgspec.json.decode(value)
        elif table not in _ELSEWHERE:
            found[f"row {processor}/{table}/{page}/{key}"] = value
    return found | {name: _encode(sorted(ids)) for name, ids in told.items()}


def _fleet_rows(engine: FleetEngine) -> Iterator[tuple[str, str, str, str, bytes]]:
    for processor in engine.processors:
        tables = [spec.name for spec in processor.tables]
        for partition in range(NOTIFICATIONS.partitions):
            _, rows = engine.ground.store.snapshot(processor.name, partition, tables)
            for (table, page, key), value in rows:
                yield processor.name, table, page, key, value


# --- the ledger ---


def _embedded_ledger(query: Any) -> Picture:
    rows = query(
        "select notification, page, subject, update_id, subscriber, channel, shard, state, reason, worker, attempts,"
        " at, due from ledger order by seq"
    )
    places: dict[tuple[str, str], int] = defaultdict(int)
    found: Picture = {}
    for row in rows:
        thread = row[2], row[4]
        due = "overtaken" if row[-1] == OVERTAKEN else row[-1]
        found[f"notification {row[1]}/{row[0]}"] = _encode([*row[1:-1], due, places[thread]])
        places[thread] += 1
    return found


def _thread(page: str, thread: Thread) -> Picture:
    overtaken = thread.overtaken
    return {
        f"notification {page}/{item.notification}": _encode(
            [
                page, thread.subject, item.update, thread.subscriber, thread.channel, thread.shard, item.state,
                item.reason, item.worker, item.attempts, item.at, "overtaken" if item in overtaken else item.due, place,
            ]
        )
        for place, item in enumerate(thread.planned)
    }  # fmt: skip


def of_queue(queue: DeliveryQueue, now: Micros, pages: Iterable[str]) -> Picture:
    """Return what senders would find, as their port answers."""
    found: Picture = {}
    for channel in CHANNELS:
        found[f"queue {channel}"] = _ids(entry.notification for entry in queue.next(channel, now, _MOST))
        found[f"overtaken {channel}"] = _ids(
            f"{each.entry.notification} by {each.by}" for each in queue.overtaken(channel, _MOST)
        )
        found[f"claimed {channel}"] = _ids(entry.notification for entry in queue.claimed(channel, _MOST))
        found[f"due {channel}"] = _encode(queue.due_at(channel))
    for page in pages:
        for state in LISTED:
            listed, _ = queue.in_state(page, state, None, _MOST)
            found[f"{state} {page}"] = _ids(entry.notification for entry in listed)
    return found


def queue_of(engine: FleetEngine) -> FleetQueue:
    """Return the fleet's queue."""
    return FleetQueue(engine.ground.store, NOTIFICATIONS.partitions)


def _ids(found: Iterable[str]) -> bytes:
    return _encode(sorted(found))


# --- audiences ---


def of_audiences(book: SubscriberBook, pages: Iterable[str]) -> Picture:
    """Return who would be told, for many questions of each page."""
    found: Picture = {}
    for page in pages:
        for number, question in enumerate(_questions(book, page)):
            found[f"audience {page}/{number} {question}"] = _ids(book.index.match(page, question))
        found[f"subscribers {page}"] = _encode(book.index.count(page))
    return found


def _questions(book: SubscriberBook, page: str) -> Iterator[Question]:
    def reached(cell: Cell, impact: Impact) -> Reached:
        return Reached(book.lineage(page, cell.component), cell.region, impact)

    for impact in Impact:
        yield Question(Kind.INCIDENT, [], impact)
        yield Question(Kind.INCIDENT, [reached(cell, impact) for cell in world.CELLS[::5]], impact)
        for cell in world.CELLS:
            for audience in Audience:
                yield Question(Kind.INCIDENT, [reached(cell, impact)], impact, audience)
    for cell in world.CELLS:
        yield Question(Kind.MAINTENANCE, [reached(cell, Impact.NONE)], Impact.NONE)
    yield Question(Kind.REMINDER, [], Impact.NONE)

"""The ledger of the distributed engine: a pure fold of plans, claims and results by partition.

A row is a thread (see ``ledger_rules``), so what is next, overtaken or claimed is a function of one row and stands in the
rankings that the store keeps beside the rows. The embedded engine's ledger is ``ledger``.
"""

from collections.abc import Iterable, Iterator

from consumers.delivery import ledger_rules as rules
from consumers.delivery.ledger_rules import EMPTY, LISTED, Item, Thread
from schemas import events as e
from schemas.events import AnyEvent, Notice
from schemas.topics import DELIVERIES, NOTIFICATIONS
from schemas.vocabulary import Kind
from schemas.vocabulary import NotificationState as State
from streams.domain.processor import Output, Processor
from streams.domain.state import State as Tables
from streams.domain.state import TableSpec

THREADS, NOTICES = "threads", "notices"


def fresh(channel: str) -> str:
    """Return the ranking of the threads that have something to send that was never tried, by its turn."""
    return f"fresh/{channel}"


def queue(channel: str) -> str:
    """Return the ranking of the threads that have something to try again, by when it is due."""
    return f"queue/{channel}"


def overtaken(channel: str) -> str:
    """Return the ranking of the threads in which something waits behind a newer one, by since when."""
    return f"overtaken/{channel}"


def claimed(channel: str) -> str:
    """Return the ranking of the threads of which something is in somebody's hands, by since when."""
    return f"claimed/{channel}"


def put_off(subscriber: str) -> str:
    """Return the ranking of a subscriber's threads that have something to send that was put off, by when it is due."""
    return f"held/{subscriber}"


LATELY = "lately"
"""The ranking of all notices of incidents and maintenances, the newest first."""


def of_subject(subject: str) -> str:
    """Return the ranking of a subject's threads, by when they were first planned."""
    return f"subject/{subject}"


def in_state(state: State) -> str:
    """Return the ranking of the threads in which something is in this state, one of ``LISTED``, by when they were planned."""
    return f"in/{state}"


def ranked(_: str, thread: Thread) -> Iterator[tuple[str, int]]:
    """Yield where a thread stands."""
    if not thread.planned:
        return
    yield of_subject(thread.subject), thread.planned[0].planned_at
    for state in LISTED & {one.state for one in thread.planned}:
        yield in_state(state), thread.planned[0].planned_at
    if (ready := thread.next) is not None and ready.due is not None:
        yield (queue(thread.channel), ready.due) if ready.turn is None else (fresh(thread.channel), ready.turn)
        if ready.held_until:
            yield put_off(thread.subscriber), ready.due
    if waiting := thread.overtaken:
        yield overtaken(thread.channel), min(one.at for one in waiting)
    if held := thread.claimed:
        yield claimed(thread.channel), min(one.at for one in held)


def noticed(_: str, notice: Notice) -> Iterator[tuple[str, int]]:
    """Yield where a notice stands."""
    if notice.kind in (Kind.INCIDENT, Kind.MAINTENANCE):
        yield LATELY, -notice.published_at


def step(state: Tables, event: AnyEvent, out: Output) -> None:
    """Fold one event."""
    match event.data:
        case e.NoticePublished(notice=notice):
            if state[NOTICES].get(event.page, notice.update) is None:
                state[NOTICES].put(event.page, notice.update, notice)
        case e.NotificationsPlanned() as planned:
            _plan(state, event, planned)
        case e.NotificationsClaimed(worker=worker, notifications=notifications):
            for notification in notifications:
                before = _item(state, event.page, notification)
                _put(state, event.page, before, rules.claim(before, worker, event.recorded_at))
        case e.DeliveriesRecorded(worker=worker, results=results):
            for result in results:
                before = _item(state, event.page, result.notification)
                _put(state, event.page, before, rules.record(before, worker, result, event.recorded_at))
        case e.NotificationsRedriven(notifications=notifications, even_in_doubt=even_in_doubt):
            for notification in notifications:
                before = _item(state, event.page, notification)
                _put(state, event.page, before, rules.redrive(before, event.recorded_at, even_in_doubt=even_in_doubt))
        case _:
            out.ignore("not an event of the ledger")


def _plan(state: Tables, event: AnyEvent, planned: e.NotificationsPlanned) -> None:
    at, prefix = event.recorded_at, rules.id_prefix(planned.subject_id, planned.update)
    threads = state[THREADS]
    for subscriber in planned.recipients:
        item = Item(
            prefix + subscriber, planned.update, at, State.PLANNED, "", "", 0, at, at, max(0, at + planned.turn)
        )
        key = rules.thread_key(item.notification)
        before: Thread | None = threads.get(event.page, key)
        thread = before or EMPTY
        if not thread.planned:
            thread = Thread(planned.subject_id, subscriber, planned.channel, planned.shard, (), thread.early)
        after = rules.plan(thread, item)
        if after != before:
            threads.put(event.page, key, after)


def _item(state: Tables, page: str, notification: str) -> Item:
    thread: Thread | None = state[THREADS].get(page, rules.thread_key(notification))
    return (thread and thread.find(notification)) or rules.untouched(notification)


def _put(state: Tables, page: str, before: Item, after: Item) -> None:
    if after is not before:
        key = rules.thread_key(after.notification)
        thread: Thread = state[THREADS].get(page, key) or EMPTY
        state[THREADS].put(page, key, rules.replaced(thread, after))


def prefetch(event: AnyEvent) -> Iterable[tuple[str, str, str]]:
    """Yield the rows that an event will ask for."""
    match event.data:
        case e.NoticePublished(notice=notice):
            yield NOTICES, event.page, notice.update
        case e.NotificationsPlanned() as planned:
            prefix = rules.id_prefix(planned.subject_id, planned.update)
            for subscriber in planned.recipients:
                yield THREADS, event.page, rules.thread_key(prefix + subscriber)
        case e.NotificationsClaimed(notifications=notifications) | e.NotificationsRedriven(notifications=notifications):
            for notification in notifications:
                yield THREADS, event.page, rules.thread_key(notification)
        case e.DeliveriesRecorded(results=results):
            for result in results:
                yield THREADS, event.page, rules.thread_key(result.notification)
        case _:
            pass


LEDGER = Processor(
    name="ledger",
    topics=(NOTIFICATIONS.name, DELIVERIES.name),
    types=frozenset(
        {
            "NoticePublished",
            "NotificationsPlanned",
            "NotificationsClaimed",
            "DeliveriesRecorded",
            "NotificationsRedriven",
        }
    ),
    tables=(
        TableSpec(THREADS, Thread, lazy=True, ranked=ranked),
        TableSpec(NOTICES, Notice, lazy=True, ranked=noticed),
    ),
    step=step,
    prefetch=prefetch,
    repeatable=True,
)

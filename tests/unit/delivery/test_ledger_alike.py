"""The embedded ledger folds what is alike of a thousand with one statement: it must say what the rules say of each by itself."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.ledger import OVERTAKEN, LedgerStage
from consumers.delivery.ledger_processor import LEDGER, THREADS
from consumers.delivery.ledger_rules import Item, Thread, notification_id
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    EventData,
    NotificationsClaimed,
    NotificationsPlanned,
)
from schemas.vocabulary import Kind, NotificationState
from streams.domain.processor import Output
from streams.domain.state import memory_state
from streams.runtime.replay import new_file

PAGE, SUBJECT = "acme", "outage"
PEOPLE = ["ann", "ben", "eve"]
UPDATES = ["u1", "u2"]
NAMED = st.sampled_from([notification_id(SUBJECT, update, one) for update in UPDATES for one in PEOPLE])
WORKERS = st.sampled_from(["first", "second", ""])
RESULTS = st.builds(
    DeliveryResult, NAMED, st.sampled_from(NotificationState), st.sampled_from(["", "receipt"]),
    st.sampled_from([None, 0, 90]), st.booleans(),
)  # fmt: skip
HISTORIES = st.lists(
    st.builds(
        lambda update, people, turn: NotificationsPlanned(update, SUBJECT, Kind.INCIDENT, "email", 0, 0, people, turn),
        st.sampled_from(UPDATES), st.lists(st.sampled_from(PEOPLE), unique=True), st.sampled_from([0, 7]),
    )
    | st.builds(NotificationsClaimed, WORKERS, st.just(0), st.lists(NAMED))
    | st.builds(DeliveriesRecorded, WORKERS, st.just(0), st.lists(RESULTS, max_size=6)),
    max_size=12,
)  # fmt: skip
ALL = NotificationsPlanned("u1", SUBJECT, Kind.INCIDENT, "email", 0, 0, PEOPLE, 0)
_COLUMNS = "notification, update_id, state, reason, worker, attempts, at, due, turn, held_until"


def events(history: Sequence[EventData]) -> list[AnyEvent]:
    return [Event(f"e{at}", PAGE, at, at, "test", None, None, False, data) for at, data in enumerate(history, 1)]


def stored(history: Sequence[EventData]) -> list[tuple[object, ...]]:
    connection, stage = new_file(), LedgerStage()
    stage.load(connection)
    stage.run(connection, events(history))
    rows = connection.execute(f"select {_COLUMNS} from ledger order by notification").fetchall()
    connection.close()
    return rows


def by_the_rules(history: Sequence[EventData]) -> list[tuple[object, ...]]:
    state = memory_state(LEDGER.tables)
    for event in events(history):
        LEDGER.step(state, event, Output(event))
    threads: list[Thread] = list(state[THREADS].rows(PAGE).values())
    return sorted(row(thread, item) for thread in threads for item in thread.planned)


def row(thread: Thread, item: Item) -> tuple[object, ...]:
    overtaken = item in thread.overtaken
    return (
        item.notification, item.update, item.state.value, item.reason, item.worker, item.attempts, item.at,
        OVERTAKEN if overtaken else item.due, None if overtaken else item.turn, item.held_until,
    )  # fmt: skip


@given(HISTORIES)
def test_what_is_alike_is_folded_as_each_by_itself(history: list[EventData]) -> None:
    """Results of one notification may stand in one event twice, and one event may hold all kinds of them."""
    planned = [ALL, NotificationsPlanned("u2", SUBJECT, Kind.INCIDENT, "email", 0, 0, ["ben"], 0)]
    for whole in ([ALL, *history], [*planned, *history]):
        unplanned = _without_what_is_not_planned(whole)
        assert stored(unplanned) == by_the_rules(unplanned)


def _without_what_is_not_planned(history: Sequence[EventData]) -> list[EventData]:
    """The embedded engine's log has one order: nobody claims what is not planned yet."""
    planned: set[str] = set()
    found: list[EventData] = []
    for data in history:
        match data:
            case NotificationsPlanned():
                planned |= {notification_id(SUBJECT, data.update, one) for one in data.recipients}
                found.append(data)
            case NotificationsClaimed():
                some = [one for one in data.notifications if one in planned]
                found.append(NotificationsClaimed(data.worker, 0, some))
            case DeliveriesRecorded():
                results = [one for one in data.results if one.notification in planned]
                found.append(DeliveriesRecorded(data.worker, 0, results))
            case _:
                pass
    return found

"""The ledger's fold: total, and the same however often an event comes and whoever claims."""

import sqlite3
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.ledger import LedgerStage
from consumers.delivery.ledger_rules import notification_id
from schemas.events import (
    AnyEvent,
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    EventData,
    NotificationsClaimed,
    NotificationsPlanned,
)
from schemas.ids import derive
from schemas.vocabulary import Kind, NotificationState
from streams.runtime.replay import new_file

UPDATE, SUBJECT = derive("update", "one"), "incident"
PEOPLE = ["ann", "ben", "eve"]
IDS = [notification_id(SUBJECT, UPDATE, name) for name in PEOPLE]
RETRY_AT = 5_000

plans = st.lists(st.sampled_from(PEOPLE), unique=True).map(
    lambda names: NotificationsPlanned(UPDATE, SUBJECT, Kind.INCIDENT, "email", 0, 0, names)
)
claims = st.builds(
    lambda worker, ids: NotificationsClaimed(worker, 0, ids),
    st.sampled_from(["one", "other"]),
    st.lists(st.sampled_from([*IDS, "unknown"]), unique=True),
)
results = st.builds(
    lambda ident, state: DeliveryResult(
        ident, state, state.value, RETRY_AT if state is NotificationState.PLANNED else None
    ),
    st.sampled_from([*IDS, "unknown"]),
    st.sampled_from([state for state in NotificationState if state is not NotificationState.CLAIMED]),
)
records = st.builds(
    lambda worker, found: DeliveriesRecorded(worker, 0, found),
    st.sampled_from(["one", "other"]),
    st.lists(results, max_size=3),
)
histories: st.SearchStrategy[list[EventData]] = st.lists(st.one_of(plans, claims, records), max_size=12)


def folded(history: Sequence[EventData], *, twice: bool = False) -> dict[str, tuple[str, str, int, int | None]]:
    """Return state, worker, attempts and due by notification."""
    connection: sqlite3.Connection = new_file()
    stage = LedgerStage()
    stage.load(connection)
    for number, data in enumerate(history):
        event: AnyEvent = Event(str(number), "acme", number, number, "tocsin", None, None, False, data)
        stage.run(connection, [event, event] if twice else [event])
    rows = connection.execute("select notification, state, worker, attempts, due from ledger").fetchall()
    connection.close()
    return {row[0]: row[1:] for row in rows}


@given(histories)
def test_an_event_that_comes_twice_is_as_one_that_comes_once(history: list[EventData]) -> None:
    assert folded(history, twice=True) == folded(history)


@given(histories)
def test_only_what_waits_can_be_claimed_and_what_ended_waits_no_more(history: list[EventData]) -> None:
    for state, worker, attempts, due in folded(history).values():
        assert (state in {"planned", "in_doubt"}) or due is None, "what is claimed or has ended is taken by nobody"
        assert state != "planned" or due is not None, "what is planned waits for its turn"
        assert state != "claimed" or (worker and attempts)


@given(histories)
def test_the_whole_history_once_more_brings_nothing_back_that_had_ended(history: list[EventData]) -> None:
    ended = {"sent", "delivered", "failed", "suppressed", "superseded"}
    for ident, (state, *_) in folded(history).items():
        if state in ended:
            assert folded([*history, *history])[ident][0] in ended


def test_a_claim_that_comes_late_does_not_take_it_away() -> None:
    history: list[EventData] = [
        NotificationsPlanned(UPDATE, SUBJECT, Kind.INCIDENT, "email", 0, 0, PEOPLE),
        NotificationsClaimed("one", 0, IDS[:2]),
        NotificationsClaimed("other", 0, IDS),
    ]
    assert [(row[1], row[2]) for row in folded(history).values()] == [("one", 1), ("one", 1), ("other", 1)]


def test_a_sent_notification_changes_only_by_what_its_provider_says_later() -> None:
    def after(state: NotificationState) -> str:
        return folded(
            [
                NotificationsPlanned(UPDATE, SUBJECT, Kind.INCIDENT, "email", 0, 0, ["ann"]),
                NotificationsClaimed("one", 0, IDS[:1]),
                DeliveriesRecorded("one", 0, [DeliveryResult(IDS[0], NotificationState.SENT, "", None)]),
                DeliveriesRecorded("one", 0, [DeliveryResult(IDS[0], state, "", RETRY_AT)]),
            ]
        )[IDS[0]][0]

    changes = {state.value: after(state) for state in NotificationState}
    assert {name: found for name, found in changes.items() if found != "sent"} == {
        "delivered": "delivered",
        "failed": "failed",
    }

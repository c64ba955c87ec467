"""A log may hold an event twice: of one that was applied nobody hears that it was ignored."""

import pytest
from msgspec.structs import replace

from consumers.projection.board import IGNORED, STATUS
from schemas import events as e
from schemas.events import AnyEvent, Event, EventData
from schemas.vocabulary import IncidentStatus, MaintenanceStatus
from streams.domain.processor import Output
from streams.domain.state import memory_state
from tests.builders.page_history import PAGE
from tests.builders.views import HOUR, MAJOR, NOW, effect

DOWN = [effect("login", MAJOR)]
OPENED = e.IncidentOpened("i1", "u1", "It fails", "", IncidentStatus.INVESTIGATING, None, DOWN, None, None, None, None)
SCHEDULED = e.MaintenanceScheduled("m1", "u1", "Work", "", DOWN, NOW + HOUR, NOW + 2 * HOUR)
HISTORIES: dict[str, list[EventData]] = {
    "an opening": [OPENED],
    "an update": [OPENED, e.IncidentUpdated("i1", "u2", "", IncidentStatus.MONITORING, None, [], None, None)],
    "an all-clear": [OPENED, e.IncidentUpdated("i1", "u2", "", IncidentStatus.RESOLVED, None, [], None, None)],
    "a silent change": [OPENED, e.IncidentCellsChanged("i1", DOWN)],
    "a schedule": [SCHEDULED],
    "a beginning": [SCHEDULED, e.MaintenanceUpdated("m1", "u2", MaintenanceStatus.IN_PROGRESS, "")],
    "a completion": [SCHEDULED, e.MaintenanceUpdated("m1", "u2", MaintenanceStatus.COMPLETED, "")],
}


class Board:
    """The board's fold, in memory."""

    def __init__(self) -> None:
        self.state = memory_state(STATUS.tables)

    def say(self, name: str, data: EventData, at: int) -> str | None:
        """Fold an event and return why it was ignored, as the API would say it."""
        event: AnyEvent = Event(name, PAGE, at, at, "operator:ops", None, None, False, data)
        STATUS.step(self.state, event, Output(event))
        reason: str | None = self.state[IGNORED].get(PAGE, name)
        return reason


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_a_copy_of_what_was_applied_is_not_said_to_be_ignored(history: list[EventData]) -> None:
    board = Board()
    for number, data in enumerate(history):
        assert board.say(f"e{number}", data, NOW + number) is None
    before = {name: dict(table.rows(PAGE)) for name, table in board.state.items()}
    for _ in range(2):
        assert board.say(f"e{len(history) - 1}", history[-1], NOW + 99) is None
    assert {name: dict(table.rows(PAGE)) for name, table in board.state.items()} == before


OTHERS: dict[str, tuple[list[EventData], EventData]] = {
    "an incident that another opened": ([OPENED], replace(OPENED, update="another")),
    "an update of what is over": (
        HISTORIES["an all-clear"],
        e.IncidentUpdated("i1", "u3", "", IncidentStatus.MONITORING, None, [], None, None),
    ),
}


@pytest.mark.parametrize(("history", "late"), OTHERS.values(), ids=OTHERS)
def test_what_another_event_made_void_is(history: list[EventData], late: EventData) -> None:
    board = Board()
    for number, data in enumerate(history):
        board.say(f"e{number}", data, NOW + number)
    assert board.say("late", late, NOW + 99)

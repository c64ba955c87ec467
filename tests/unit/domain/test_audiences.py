"""What is internal: which components are, whom alerts and people then tell, and that the public's picture holds nothing of it."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import events as e
from schemas.vocabulary import Audience, CellStatus, IncidentStatus, MaintenanceStatus
from streams.domain.audiences import hidden, public_view
from streams.domain.model import Component, PageView
from streams.domain.page import CELLS, COMPONENTS, DRAFTS, INCIDENTS, MAINTENANCES
from tests.builders.page_history import PAGE, History
from tests.builders.views import NOW, SETTINGS, effect

PUBLIC, INTERNAL = Audience.PUBLIC, Audience.INTERNAL
MAJOR = CellStatus.MAJOR_OUTAGE
NAMES = ("a", "b", "c", "d", "e")


def picture(history: History) -> PageView:
    tables = history.page.tables
    return PageView(
        PAGE, SETTINGS, [], dict(tables[COMPONENTS].items(PAGE)), dict(tables[CELLS].items(PAGE)),
        dict(tables[INCIDENTS].items(PAGE)), dict(tables[MAINTENANCES].items(PAGE)), dict(tables[DRAFTS].items(PAGE)),
        NOW, 1,
    )  # fmt: skip


def classify(history: History, component: str, audience: Audience = INTERNAL) -> None:
    """Define a component anew, for an audience."""
    known = history.page.tables[COMPONENTS].get(PAGE, component)
    assert known is not None
    history.say(replace(known.definition, audience=audience))


def opened(history: History, name: str, audience: Audience, *affects: e.Effect) -> None:
    history.say(
        e.IncidentOpened(
            name, f"{name}-1", "Trouble", "We look.", IncidentStatus.INVESTIGATING, None, list(affects), None, None,
            None, None, audience,
        )
    )  # fmt: skip


def resolved(history: History, name: str) -> None:
    history.say(e.IncidentUpdated(name, f"{name}-2", "Over.", IncidentStatus.RESOLVED, None, [], None, None))


@given(
    st.dictionaries(st.sampled_from(NAMES), st.tuples(st.none() | st.sampled_from(NAMES), st.booleans())),
)
def test_what_lies_below_an_internal_group_is_internal_whatever_the_tree(
    tree: dict[str, tuple[str | None, bool]],
) -> None:
    components = {
        name: Component(
            e.ComponentDefined(name, name, parent, 0, [], None, False, "", INTERNAL if secret else PUBLIC), 0, 0
        )
        for name, (parent, secret) in tree.items()
    }

    def chain(name: str) -> list[str]:
        found = [name]
        while (parent := tree[found[-1]][0]) in tree and parent not in found:
            found.append(str(parent))
        return found

    assert hidden(components) == {name for name in tree if any(tree[one][1] for one in chain(name))}


def test_alerts_of_an_internal_component_are_told_to_nobody_of_the_public() -> None:
    history = History()
    classify(history, "api")
    history.fires("api", "eu")
    (notice,) = history.notices
    assert (history.incident.audience, notice.audience) == (INTERNAL, INTERNAL)
    assert history.cells == {"api/eu": "major_outage"}, "it shows on what is internal itself"
    shown = public_view(picture(history))
    assert "api" not in shown.components
    assert (shown.incidents, shown.cells.keys() & {"api/eu"}) == ({}, set())
    history.resolves(history.incident.id)
    assert history.notices[-1].audience is INTERNAL
    assert history.cells == {}


def test_alerts_of_a_component_in_an_internal_group_likewise() -> None:
    history = History()
    classify(history, "platform")
    history.fires("api", "eu")
    assert history.notices[0].audience is INTERNAL


def test_alerts_of_all_else_are_told_to_everybody() -> None:
    history = History()
    classify(history, "login")
    history.fires("api", "eu")
    assert (history.incident.audience, history.notices[0].audience) == (PUBLIC, PUBLIC)


def test_an_internal_incident_changes_no_status_that_the_public_sees() -> None:
    history = History()
    classify(history, "login")
    opened(history, "secret", INTERNAL, effect("api/eu", MAJOR), effect("login", MAJOR))
    assert history.cells == {"login": "major_outage"}
    assert [one.component for one in history.notices[0].changes] == ["api", "login"], "employees are told of both"
    resolved(history, "secret")
    assert history.cells == {}


def test_an_internal_maintenance_masks_only_what_is_internal() -> None:
    history = History()
    classify(history, "login")
    affects = [effect("api/eu", CellStatus.MAINTENANCE), effect("login", CellStatus.MAINTENANCE)]
    history.say(e.MaintenanceScheduled("work", "work-1", "Work", "We work.", affects, NOW, NOW + 1, INTERNAL))
    history.say(e.MaintenanceUpdated("work", "work-2", MaintenanceStatus.IN_PROGRESS, "It begins."))
    assert history.cells == {"login": "under_maintenance"}
    assert {notice.audience for notice in history.notices} == {INTERNAL}
    assert not public_view(picture(history)).maintenances
    history.say(e.MaintenanceUpdated("work", "work-3", MaintenanceStatus.COMPLETED, "Over."))
    assert history.cells == {}


def test_what_the_public_is_told_names_nothing_internal_even_where_it_came_to_be_so() -> None:
    history = History()
    opened(history, "outage", PUBLIC, effect("api/eu", MAJOR), effect("login", MAJOR))
    classify(history, "login")
    resolved(history, "outage")
    notice = history.notices[-1]
    assert ([one.component for one in notice.changes], [one.component for one in notice.affects]) == (["api"], ["api"])
    assert notice.components == ["API (Europe)"]
    shown = public_view(picture(history)).incidents["outage"]
    assert {change.component for update in shown.updates for change in update.changes} == {"api"}


def test_a_cell_that_came_to_be_public_does_not_show_what_is_internal() -> None:
    history = History()
    classify(history, "login")
    opened(history, "secret", INTERNAL, effect("login", MAJOR))
    classify(history, "login", PUBLIC)
    cell = public_view(picture(history)).cells["login"]
    assert (cell.status, cell.effects) == (CellStatus.OPERATIONAL, {})
    resolved(history, "secret")
    assert history.cells == {}


def test_a_group_of_which_the_public_sees_nothing_is_not_shown_as_a_component() -> None:
    history = History()
    before = picture(history)
    below = [name for name, one in before.components.items() if one.definition.parent == "platform"]
    for name in below:
        classify(history, name)
    assert below
    assert before.components.keys() - public_view(picture(history)).components.keys() == {"platform", *below}


def test_where_nothing_is_internal_the_picture_is_the_same() -> None:
    history = History()
    history.fires("api", "eu")
    view = picture(history)
    assert public_view(view) is view

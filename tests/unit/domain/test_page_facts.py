"""What a page takes for a fact, and what it refuses with which reason: the 409s of the command API."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas import events as e
from schemas.vocabulary import CellStatus, Impact, IncidentStatus, MaintenanceStatus
from streams.domain.model import Update
from tests.builders.page_history import PAGE, History, affected
from tests.builders.views import DAY, DEGRADED, HOUR, MAJOR, MINUTE, NOW, OPERATIONAL, PARTIAL, effect

INVESTIGATING, IDENTIFIED = IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED
MONITORING, RESOLVED, POSTMORTEM = IncidentStatus.MONITORING, IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM
Act = Callable[[History, str], str | None]


def again(history: History, name: str) -> str | None:
    return history.say(history.said(e.IncidentOpened)[0])


def repeated(history: History, name: str) -> str | None:
    return history.updates(name, IDENTIFIED, update=history.incident.updates[0].id)


REFUSED: dict[str, tuple[list[IncidentStatus], Act, str]] = {
    "opened twice": ([], again, "this incident was opened before"),
    "an update of nothing": ([], lambda h, _: h.updates("ff", IDENTIFIED), "there is no such incident"),
    "an update twice": ([], repeated, "this update was made before"),
    "an update after the end": ([RESOLVED], lambda h, i: h.updates(i, MONITORING), "the incident is resolved"),
    "an end after the end": ([RESOLVED], lambda h, i: h.resolves(i), "the incident is resolved"),
    "an end after the post-mortem": ([RESOLVED, POSTMORTEM], lambda h, i: h.resolves(i), "the incident is resolved"),
    "a post-mortem before the end": ([], lambda h, i: h.updates(i, POSTMORTEM), "a post-mortem follows the resolution"),
    "a silent change of nothing": (
        [], lambda h, _: h.say(e.IncidentCellsChanged("ff", [])), "there is no such open incident",
    ),
    "a silent change after the end": (
        [RESOLVED], lambda h, i: h.say(e.IncidentCellsChanged(i, [])), "there is no such open incident",
    ),
    "an approval of nothing": ([], lambda h, _: h.say(e.DraftApproved("ff")), "no such draft is waiting"),
    "a dismissal of nothing": ([], lambda h, _: h.say(e.DraftDismissed("ff", "")), "no such draft is waiting"),
    "a revision of nothing": ([], lambda h, _: h.say(e.DraftRevised("ff", "", "", [])), "no such draft is waiting"),
    "a withdrawal of nothing": ([], lambda h, _: h.say(e.DraftWithdrawn("ff", "")), "no such draft is waiting"),
    "a reminder of nothing": ([], lambda h, _: h.say(e.PromiseReminded("ff", 1)), "the promise was kept or replaced"),
    "the end of an episode of nothing": (
        [], lambda h, _: h.say(e.EpisodeClosed("ff", "s", "f", 1, "")), "nothing is open for this episode",
    ),
    "what is no fact of a page": (
        [], lambda h, _: h.say(e.MaintenanceUpdated("ff", "aa", MaintenanceStatus.COMPLETED, "")), "there is no such maintenance",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "act", "why"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_with_its_reason(before: list[IncidentStatus], act: Act, why: str) -> None:
    history = History()
    name = history.opens("login")
    for status in before:
        assert history.updates(name, status) is None
    rows, told = history.page.rows(), len(history.notices)
    assert act(history, name) == why
    assert (history.page.rows(), len(history.notices)) == (rows, told), "and changes nothing and tells nobody"


class TestIncidents:
    def test_its_life(self) -> None:
        history = History()
        name = history.opens("login", status=PARTIAL)
        for status in (IDENTIFIED, MONITORING, INVESTIGATING, MONITORING, RESOLVED, POSTMORTEM):
            history.wait(MINUTE)
            assert history.updates(name, status) is None
        incident = history.incident
        assert (incident.status, incident.monitoring_at, incident.resolved_at) == (
            POSTMORTEM,
            NOW + 2 * MINUTE,
            NOW + 5 * MINUTE,
        )
        assert [update.at for update in incident.updates] == [NOW + n * MINUTE for n in range(7)]
        assert history.cells == {}

    def test_an_update_changes_the_cells_that_it_names_and_no_other(self) -> None:
        history = History()
        name = history.opens("api/eu", "api/us")
        history.updates(name, IDENTIFIED, ("api/us", OPERATIONAL), ("login", DEGRADED))
        assert history.cells == {"api/eu": "major_outage", "login": "degraded_performance"}
        changes = [(one.component, one.region, one.old, one.new) for one in history.incident.updates[-1].changes]
        assert changes == [("api", "us", MAJOR, OPERATIONAL), ("login", None, OPERATIONAL, DEGRADED)]

    def test_the_all_clear_names_every_cell_that_was_affected(self) -> None:
        history = History()
        name = history.opens("api/eu", "login")
        history.resolves(name)
        assert {one.component: (one.old, one.new) for one in history.incident.updates[-1].changes} == {
            "api": (MAJOR, OPERATIONAL), "login": (MAJOR, OPERATIONAL),
        }  # fmt: skip

    def test_an_incident_that_is_told_when_it_is_over_affects_nothing(self) -> None:
        history = History()
        history.opens("login", status=MAJOR, promise_at=NOW + HOUR)
        history.opens("maps", status=DEGRADED)
        told = e.IncidentOpened(
            "over",
            "aa",
            "It was",
            "And is over.",
            RESOLVED,
            None,
            [effect("maps", MAJOR)],
            None,
            None,
            None,
            NOW + HOUR,
        )
        history.say(told)
        over = next(one for one in history.incidents if one.id == "over")
        assert (over.effects, over.promise_at, over.is_open, over.impact) == ({}, None, False, "critical")
        assert history.cells == {"login": "major_outage", "maps": "degraded_performance"}

    @pytest.mark.parametrize(
        ("chosen", "later", "shown"),
        [
            (None, None, "major"),
            (Impact.NONE, None, "none"),
            (Impact.MINOR, Impact.CRITICAL, "critical"),
            (None, Impact.NONE, "none"),
        ],
    )
    def test_the_impact_is_what_a_person_chose_or_the_worst_it_had(
        self, chosen: Impact | None, later: Impact | None, shown: str
    ) -> None:
        history = History()
        name = history.opens("login", status=PARTIAL, impact=chosen)
        history.updates(name, IDENTIFIED, ("login", DEGRADED), impact=later)
        history.updates(name, MONITORING)
        assert history.incident.impact == shown

    def test_time_within_a_cell_runs_forward(self) -> None:
        history = History()
        name = history.opens("login")
        history.wait(HOUR)
        told = e.IncidentUpdated(name, "aa", "", RESOLVED, None, [], None, None)
        history.say(told, occurred_at=NOW - DAY)
        assert [event.occurred_at for event in history.emitted_changes()] == [NOW, NOW]
        history.say(replace(history.said(e.IncidentOpened)[0], incident="bb"), occurred_at=NOW - HOUR)
        assert history.emitted_changes()[-1].occurred_at == NOW

    def test_what_happened_is_clamped_to_a_day_before_and_to_no_future(self) -> None:
        for claimed, believed in [
            (NOW - HOUR, NOW - HOUR),
            (NOW - 30 * DAY, NOW - DAY),
            (NOW + HOUR, NOW),
            (-(2**63), NOW - DAY),
        ]:
            history = History()
            history.say(
                e.IncidentOpened(
                    "aa", "bb", "", "", INVESTIGATING, None, [effect("login", MAJOR)], None, None, None, None
                ),
                occurred_at=claimed,
            )
            assert history.incident.started_at == believed

    def test_a_silent_change_that_comes_again_after_an_update_does_not_undo_it(self) -> None:
        # A log may repeat the last batch of a writer that died: the quiet change, then the update, and both anew.
        history = History()
        history.fires("api", "eu")
        history.fires("api", "eu", "warning", starts_at=NOW)
        history.fires("api", "eu", "critical", starts_at=NOW)
        kinds = (e.IncidentCellsChanged, e.IncidentUpdated)
        batch = [event for event in history.page_events() if isinstance(event.data, kinds)]
        assert len(batch) == 2
        for event in batch:
            assert history.page.fold(event).ignored is not None
        assert history.cells == {"api/eu": "major_outage"}

    def test_an_operational_effect_is_none(self) -> None:
        history = History()
        history.opens("login", status=OPERATIONAL)
        assert (affected(list(history.incident.effects.values())), history.cells, history.incident.impact) == (
            {},
            {},
            "none",
        )


class TestCatalogue:
    def test_a_component_keeps_the_time_of_its_making(self) -> None:
        history = History()
        history.wait(HOUR)
        history.say(e.ComponentDefined("login", "Sign-in", None, 2, [], None, False, ""), actor="config")
        login = history.view().components["login"]
        assert (login.definition.name, login.created_at, login.updated_at) == ("Sign-in", NOW, NOW + HOUR)
        history.say(e.ComponentRemoved("login"), actor="config")
        assert "login" not in history.view().components

    def test_sources_and_templates_come_and_go(self) -> None:
        history = History()
        history.say(e.SourceDefined("ping", "pingdom"), actor="config")
        history.say(e.TemplateRemoved("slow"), actor="config")
        tables = history.page.tables
        assert (list(tables["sources"].rows(PAGE)), list(tables["templates"].rows(PAGE))) == (["ping"], ["api-errors"])
        history.say(e.SourceRemoved("ping"), actor="config")
        assert tables["sources"].count(PAGE) == 0

    def test_facts_of_one_page_are_no_facts_of_another(self) -> None:
        history = History()
        history.opens("login")
        assert history.page.tables["cells"].rows("other") == {}


def test_an_update_says_who_said_it() -> None:
    history = History()
    name = history.opens("login")
    history.updates(name, IDENTIFIED)
    history.fires("api", "eu")
    said: list[Update] = [update for one in history.incidents for update in one.updates]
    assert sorted(update.actor for update in said) == ["operator:ada", "operator:ada", "tocsin"]


@pytest.mark.parametrize("status", [status for status in CellStatus if status is not OPERATIONAL])
def test_a_cell_says_what_its_incident_says(status: CellStatus) -> None:
    history = History()
    history.opens("login", status=status)
    assert history.cells == {"login": status}

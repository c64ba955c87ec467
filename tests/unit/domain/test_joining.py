"""What alerts of one rule and component do to the one incident that they share. docs/rules.md, "Incidents from alerts"."""

import pytest

from schemas import events as e
from schemas.vocabulary import CellStatus, IncidentStatus
from tests.builders.page_history import History, rule
from tests.builders.views import MINUTE, NOW

RESOLVED, MONITORING = IncidentStatus.RESOLVED, IncidentStatus.MONITORING


def statuses(history: History) -> list[str]:
    return [update.status for update in history.incident.updates]


def test_the_same_cell_is_nothing() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "eu", "warning", fingerprint="another")
    history.fires("api", "eu", fingerprint="a third")
    assert (len(history.incident.updates), len(history.notices)) == (1, 1)


def test_a_new_cell_is_an_update() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "us", "warning")
    update = history.incident.updates[1]
    assert update.body.startswith("Requests in United States fail (all: Europe, United States).")
    assert [(one.region, one.old, one.new) for one in update.changes] == [("us", "operational", "degraded_performance")]
    assert history.cells == {"api/eu": "major_outage", "api/us": "degraded_performance"}


def test_a_worse_status_is_an_update() -> None:
    history = History()
    history.fires("api", "eu", "warning")
    history.fires("api", "eu", fingerprint="another")
    assert statuses(history) == ["investigating", "investigating"]
    assert [(one.old, one.new) for one in history.incident.updates[1].changes] == [
        ("degraded_performance", "major_outage")
    ]
    assert history.incident.impact == "critical"


def test_a_severity_that_gets_worse_is_an_update_with_the_words_of_the_alert() -> None:
    history = History([rule("api", template="slow")])
    history.fires("api", "eu", "warning")
    history.fires("api", "eu", "critical", starts_at=NOW)
    assert [update.body for update in history.incident.updates] == ["Slow, says api in eu is ill."] * 2


def test_a_better_status_changes_in_silence() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "eu", "warning", starts_at=NOW)
    assert history.cells == {"api/eu": "degraded_performance"}
    assert (len(history.incident.updates), len(history.notices)) == (1, 1)
    assert history.incident.impact == "critical", "the impact that is shown is the worst it had"


def test_a_cell_that_clears_changes_in_silence_until_the_last_one_does() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "us")
    history.wait(12 * MINUTE)
    history.clears("api", "eu")
    assert (history.cells, len(history.notices)) == ({"api/us": "major_outage"}, 2)
    history.clears("api", "us")
    assert history.incident.status is RESOLVED
    assert history.incident.updates[-1].body == "The API in Europe and United States works again after 12 minutes."


def test_a_cell_that_cleared_and_fires_again_is_an_update() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "us")
    history.clears("api", "eu")
    history.wait(MINUTE)
    history.fires("api", "eu")
    assert len(history.incident.updates) == 3
    assert history.cells == {"api/eu": "major_outage", "api/us": "major_outage"}


def test_a_cell_is_as_bad_as_the_worst_of_its_alerts() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "eu", "warning", fingerprint="another")
    history.clears("api", "eu")
    assert history.cells == {"api/eu": "degraded_performance"}
    history.clears("api", "eu", "warning", fingerprint="another")
    assert history.cells == {}


def test_the_next_outage_is_another_incident() -> None:
    history = History()
    history.fires("api", "eu")
    history.clears("api", "eu")
    history.wait(MINUTE)
    history.fires("api", "eu")
    first, second = history.incidents
    assert (first.status, second.status, first.id == second.id) == (RESOLVED, "investigating", False)


def test_two_rules_hold_two_incidents_on_one_cell() -> None:
    history = History([rule("api"), rule("slow", component="api")])
    history.fires("api", "eu")
    history.fires("slow", "eu", "warning")
    assert len(history.incidents) == 2
    history.clears("api", "eu")
    assert history.cells == {"api/eu": "degraded_performance"}
    history.clears("slow", "eu", "warning")
    assert history.cells == {}


def test_one_rule_holds_an_incident_for_each_component() -> None:
    history = History([rule("any", labels={}, component="{{ labels.service }}")])
    history.fires("api", "eu")
    history.fires("web", "eu")
    assert sorted(one.component or "" for one in history.incidents) == ["api", "web"]


def test_an_alert_on_a_group_affects_all_below_it() -> None:
    history = History()
    history.fires("all", "us")
    assert history.cells == {"api/us": "major_outage", "web/us": "major_outage"}
    assert history.incident.component == "platform"
    history.clears("all", "us")
    assert history.cells == {}


def test_an_update_keeps_the_status_that_a_person_set() -> None:
    history = History()
    history.fires("api", "eu")
    history.updates(history.incident.id, MONITORING)
    history.fires("api", "us")
    assert statuses(history) == ["investigating", "monitoring", "monitoring"]


class TestByHand:
    def test_resolving_by_hand_closes_the_episodes_for_good(self) -> None:
        history = History()
        history.fires("api", "eu")
        assert history.resolves(history.incident.id) is None
        history.wait(MINUTE)
        history.fires("api", "eu", starts_at=NOW)
        history.fires("api", "eu", "warning", starts_at=NOW)
        history.clears("api", "eu", "warning")
        assert (history.cells, len(history.incidents), history.groups) == ({}, 1, [])

    def test_only_a_newer_one_reopens_as_another_incident(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.resolves(history.incident.id)
        history.wait(MINUTE)
        history.fires("api", "eu")
        assert len(history.incidents) == 2
        assert history.cells == {"api/eu": "major_outage"}
        history.clears("api", "eu")
        assert history.cells == {}

    def test_another_instance_is_a_newer_one_and_the_old_one_does_not_hold_it_open(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.resolves(history.incident.id)
        history.fires("api", "us")
        assert history.cells == {"api/us": "major_outage"}
        history.clears("api", "us")
        assert [one.status for one in history.incidents] == [RESOLVED, RESOLVED]
        history.clears("api", "eu")
        assert history.cells == {}

    def test_a_draft_that_waits_is_withdrawn(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.say(e.DraftApproved(history.draft.id))
        history.fires("payments", "us")
        history.resolves(history.incident.id)
        assert (history.drafts, history.said(e.DraftWithdrawn)[0].reason) == ([], "the incident was resolved by hand")

    def test_a_resolution_that_was_refused_closes_nothing(self) -> None:
        history = History()
        history.fires("api", "eu")
        update = history.said(e.IncidentOpened)[0].update
        assert history.updates(history.incident.id, RESOLVED, update=update) == "this update was made before"
        assert len(history.groups) == 1
        history.clears("api", "eu")
        assert history.incident.status is RESOLVED

    def test_a_resolution_behind_a_new_region_wins_and_the_update_is_not_told(self) -> None:
        history = History()
        history.fires("api", "eu")
        incident = history.incident.id
        us = e.EpisodeOpened(
            "us",
            "prom",
            "us",
            history.said(e.EpisodeOpened)[0].severity,
            NOW,
            "",
            {"service": "api", "region": "us"},
            {},
            "",
            False,
        )
        history.race(us, e.IncidentUpdated(incident, "aa", "All is well.", RESOLVED, None, [], None, None))
        assert [notice.body for notice in history.notices[1:]] == ["All is well."]
        assert (history.cells, history.groups) == ({}, [])
        assert list(history.ignored.values()) == ["the incident is resolved"]

    @pytest.mark.parametrize("status", [IncidentStatus.IDENTIFIED, IncidentStatus.MONITORING])
    def test_other_updates_leave_the_alerts_alone(self, status: IncidentStatus) -> None:
        history = History()
        history.fires("api", "eu")
        history.updates(history.incident.id, status)
        assert len(history.groups) == 1
        history.clears("api", "eu")
        assert statuses(history) == ["investigating", status, RESOLVED]

    def test_an_incident_of_a_person_and_one_of_an_alert_weigh_on_one_cell(self) -> None:
        history = History()
        by_hand = history.opens("api/eu", status=CellStatus.DEGRADED)
        history.fires("api", "eu")
        assert history.cells == {"api/eu": "major_outage"}
        history.clears("api", "eu")
        assert history.cells == {"api/eu": "degraded_performance"}
        history.resolves(by_hand)
        assert history.cells == {}


class TestWhenTheCatalogueChanges:
    def test_rules_that_go_leave_what_is_open_until_its_alerts_end(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.fires("api", "us")
        history.say(e.RulesDefined([]), actor="config")
        history.clears("api", "eu")
        assert history.cells == {"api/us": "major_outage"}
        history.clears("api", "us")
        assert history.incident.status is RESOLVED
        assert history.incident.updates[-1].body == "API works again.", "its template went with the rule"

    def test_a_component_that_goes_leaves_what_is_open_until_its_alerts_end(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.say(e.ComponentRemoved("api"), actor="config")
        assert history.incident.is_open
        history.fires("api", "us")
        assert history.unrouted == {
            "api in us is ill": "rule api leads to the component 'api', which the page does not have"
        }
        history.clears("api", "eu")
        assert (history.cells, history.incident.status) == ({}, RESOLVED)

    def test_a_region_that_comes_is_affected_once_the_alert_speaks_again(self) -> None:
        history = History([rule("api", component="login", region=None)])
        history.fires("api", "eu", "warning")
        assert history.cells == {"login": "degraded_performance"}
        history.say(e.ComponentDefined("login", "Login", None, 2, ["eu", "us"], None, False, ""), actor="config")
        history.fires("api", "eu", starts_at=NOW)
        assert history.cells == {"login/eu": "major_outage", "login/us": "major_outage"}
        history.clears("api", "eu")
        assert history.cells == {}

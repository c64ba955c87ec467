"""Maintenance: starts and ends by the clock or by hand, masks its cells, and keeps alerts silent until it is over."""

from schemas import events as e
from schemas.vocabulary import CellStatus, IncidentStatus, MaintenanceStatus
from tests.builders.page_history import History, rule
from tests.builders.views import HOUR, MINUTE, NOW

SCHEDULED, IN_PROGRESS = MaintenanceStatus.SCHEDULED, MaintenanceStatus.IN_PROGRESS
VERIFYING, COMPLETED = MaintenanceStatus.VERIFYING, MaintenanceStatus.COMPLETED
MASKED = {"login": "under_maintenance"}


def status(history: History) -> MaintenanceStatus:
    (found,) = history.maintenances
    return found.status


class TestByTheClock:
    def test_it_starts_and_ends_by_itself(self) -> None:
        history = History()
        history.schedules("login", starts_in=10 * MINUTE, lasts=HOUR)
        history.wait(10 * MINUTE - 1)
        assert (status(history), history.cells) == (SCHEDULED, {})
        history.wait(1)
        assert (status(history), history.cells) == (IN_PROGRESS, MASKED)
        history.wait(HOUR)
        assert (status(history), history.cells) == (COMPLETED, {})
        (found,) = history.maintenances
        assert (found.started_at, found.completed_at) == (NOW + 10 * MINUTE, NOW + 70 * MINUTE)
        assert [notice.status for notice in history.notices] == [SCHEDULED, IN_PROGRESS, COMPLETED]

    def test_a_person_starts_it_earlier_and_the_clock_says_nothing(self) -> None:
        history = History()
        name = history.schedules("login")
        assert history.maintains(name, IN_PROGRESS) is None
        assert history.cells == MASKED
        history.wait(30 * MINUTE)
        assert [notice.status for notice in history.notices] == [SCHEDULED, IN_PROGRESS]

    def test_a_person_completes_it_earlier_and_the_clock_says_nothing(self) -> None:
        history = History()
        name = history.schedules("login")
        history.maintains(name, COMPLETED)
        history.wait(3 * HOUR)
        assert [notice.status for notice in history.notices] == [SCHEDULED, COMPLETED]
        assert history.page.timers == {}

    def test_news_before_it_begins_does_not_keep_it_from_beginning(self) -> None:
        history = History()
        name = history.schedules("login")
        assert history.maintains(name, SCHEDULED) is None
        history.wait(10 * MINUTE)
        assert status(history) is IN_PROGRESS

    def test_news_while_it_goes_on_does_not_keep_it_from_ending(self) -> None:
        history = History()
        name = history.schedules("login")
        history.wait(10 * MINUTE)
        history.maintains(name, IN_PROGRESS)
        history.maintains(name, VERIFYING)
        assert history.cells == MASKED
        history.wait(HOUR)
        assert status(history) is COMPLETED

    def test_a_clock_that_stood_still_catches_up_and_ends_it(self) -> None:
        history = History()
        name = history.schedules("login")
        history.race(
            e.TimerFired("pages", f"end:{name}", NOW + 70 * MINUTE),
            e.TimerFired("pages", f"start:{name}", NOW + 10 * MINUTE),
        )
        assert (status(history), history.cells) == (COMPLETED, {})

    def test_a_timer_that_comes_twice_is_one(self) -> None:
        history = History()
        name = history.schedules("login")
        timer = e.TimerFired("pages", f"start:{name}", NOW + 10 * MINUTE)
        history.race(timer, timer)
        assert [notice.status for notice in history.notices] == [SCHEDULED, IN_PROGRESS]


class TestRefusals:
    def test_its_life_goes_forward_only(self) -> None:
        history = History()
        name = history.schedules("login")
        history.maintains(name, VERIFYING)
        assert history.maintains(name, IN_PROGRESS) == "the maintenance is verifying already"
        history.maintains(name, COMPLETED)
        assert history.maintains(name, VERIFYING) == "the maintenance is completed"
        assert history.maintains("another", VERIFYING) == "there is no such maintenance"

    def test_it_is_scheduled_once_and_updated_once(self) -> None:
        history = History()
        name = history.schedules("login")
        again = e.MaintenanceScheduled(name, "u", "Other", "", [], NOW, NOW)
        assert history.say(again) == "this maintenance was scheduled before"
        known = history.maintenances[0].updates[0].id
        assert history.say(e.MaintenanceUpdated(name, known, IN_PROGRESS, "")) == "this update was made before"


class TestMasking:
    def test_it_hides_an_incident_that_counts_again_afterwards(self) -> None:
        history = History()
        history.fires("api", "eu")
        name = history.schedules("api/eu")
        history.maintains(name, IN_PROGRESS)
        assert history.cells == {"api/eu": "under_maintenance"}
        history.maintains(name, COMPLETED)
        assert history.cells == {"api/eu": "major_outage"}

    def test_an_incident_that_ends_under_it_is_gone_afterwards(self) -> None:
        history = History()
        history.fires("api", "eu")
        name = history.schedules("api/eu")
        history.maintains(name, IN_PROGRESS)
        history.clears("api", "eu")
        assert history.incident.status is IncidentStatus.RESOLVED
        assert history.cells == {"api/eu": "under_maintenance"}
        history.maintains(name, COMPLETED)
        assert history.cells == {}

    def test_two_maintenances_on_one_cell_mask_until_both_are_over(self) -> None:
        history = History()
        first, second = history.schedules("login"), history.schedules("login", "maps")
        for name in (first, second):
            history.maintains(name, IN_PROGRESS)
        history.fires("login", "")
        history.maintains(second, COMPLETED)
        assert (history.cells, history.incidents) == (MASKED, [])
        history.maintains(first, COMPLETED)
        assert history.cells == {"login": "partial_outage"}

    def test_only_its_own_cells_are_masked(self) -> None:
        history = History()
        history.maintains(history.schedules("api/eu"), IN_PROGRESS)
        history.fires("api", "us")
        assert history.cells == {"api/eu": "under_maintenance", "api/us": "major_outage"}


class TestAlertsUnderIt:
    def test_they_are_silent_and_on_the_record(self) -> None:
        history = masked()
        history.fires("api", "eu")
        assert (history.incidents, len(history.notices), len(history.said(e.EpisodeOpened))) == ([], 2, 1)

    def test_what_clears_in_time_is_never_told(self) -> None:
        history = masked()
        history.fires("api", "eu")
        history.clears("api", "eu")
        history.wait(2 * HOUR)
        assert (history.incidents, history.cells) == ([], {})

    def test_what_still_fires_is_told_when_it_is_over(self) -> None:
        history = masked()
        history.fires("api", "eu")
        history.fires("api", "eu", "warning", starts_at=NOW)
        history.wait(2 * HOUR)
        assert history.cells == {"api/eu": "degraded_performance"}
        assert history.incident.created_at == NOW + 70 * MINUTE
        history.clears("api", "eu", "warning")
        assert history.cells == {}

    def test_several_that_still_fire_are_told_with_all_their_cells(self) -> None:
        history = History()
        history.maintains(history.schedules("api/eu", "api/us", "api/ap"), IN_PROGRESS)
        for region in ("us", "eu", "ap"):
            history.fires("api", region)
        history.wait(2 * HOUR)
        assert history.cells == {"api/ap": "major_outage", "api/eu": "major_outage", "api/us": "major_outage"}
        assert set(history.incident.effects) == set(history.cells)
        for region in ("us", "eu", "ap"):
            history.clears("api", region)
        assert history.cells == {}

    def test_an_alert_that_reaches_beyond_it_is_told(self) -> None:
        history = masked()
        history.fires("all", "eu")
        assert history.cells == {"api/eu": "under_maintenance", "web/eu": "major_outage"}

    def test_an_alert_that_is_no_alert_any_more_when_it_is_over_tells_nobody(self) -> None:
        history = masked()
        history.fires("api", "eu")
        history.say(e.RulesDefined([rule("other")]), actor="config")
        history.wait(2 * HOUR)
        assert (history.incidents, history.unrouted) == ([], {"api in eu is ill": "no rule matches"})

    def test_what_becomes_worse_under_it_is_told_when_it_is_over(self) -> None:
        history = History()
        history.fires("api", "eu", "warning")
        history.maintains(history.schedules("api/eu"), IN_PROGRESS)
        told = len(history.incident.updates)
        history.fires("api", "eu", "critical")
        assert len(history.incident.updates) == told
        history.wait(2 * HOUR)
        assert len(history.incident.updates) == told + 1
        assert history.cells == {"api/eu": "major_outage"}

    def test_what_became_worse_under_it_and_cleared_is_never_told(self) -> None:
        history = History()
        history.fires("api", "us", "warning")
        history.fires("api", "eu", "warning")
        history.maintains(history.schedules("api/eu"), IN_PROGRESS)
        told = len(history.incident.updates)
        history.fires("api", "eu", "critical")
        history.fires("api", "eu", "warning")
        history.wait(2 * HOUR)
        assert len(history.incident.updates) == told
        assert history.cells == {"api/eu": "degraded_performance", "api/us": "degraded_performance"}

    def test_what_becomes_worse_beside_it_is_told_at_once(self) -> None:
        history = History()
        history.fires("api", "us", "warning")
        history.maintains(history.schedules("api/eu"), IN_PROGRESS)
        told = len(history.incident.updates)
        history.fires("api", "us", "critical")
        assert len(history.incident.updates) == told + 1

    def test_a_delay_that_ends_under_it_waits_for_its_end(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.maintains(history.schedules("web/eu"), IN_PROGRESS)
        history.wait(30 * MINUTE)
        assert (history.incidents, len(history.drafts)) == ([], 1)
        history.wait(2 * HOUR)
        assert (history.cells, history.drafts) == ({"web/eu": "major_outage"}, [])
        assert history.page.timers == {}

    def test_a_delay_that_ends_under_it_tells_nobody_of_what_cleared(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.maintains(history.schedules("web/eu"), IN_PROGRESS)
        history.wait(30 * MINUTE)
        history.clears("web", "eu")
        history.wait(2 * HOUR)
        assert (history.incidents, history.drafts, history.cells) == ([], [], {})

    def test_a_draft_that_a_person_approves_goes_out_under_it(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.maintains(history.schedules("payments/eu"), IN_PROGRESS)
        history.say(e.DraftApproved(history.draft.id))
        assert len(history.incidents) == 1

    def test_an_incident_that_says_under_maintenance_holds_no_alerts(self) -> None:
        history = History()
        history.opens("api/eu", status=CellStatus.MAINTENANCE)
        history.fires("api", "eu")
        assert history.cells == {"api/eu": "major_outage"}


def masked() -> History:
    """The API in Europe under a maintenance that ends by the clock."""
    history = History()
    history.maintains(history.schedules("api/eu"), IN_PROGRESS)
    return history

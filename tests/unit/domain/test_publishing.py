"""How a rule's alerts reach the public: at once, after a delay, or once a person approves. docs/rules.md, "Publishing"."""

from msgspec.structs import replace

from schemas import events as e
from schemas.vocabulary import CellStatus, IncidentStatus, Publish, Severity
from streams.domain.alarms import MAX_UNROUTED
from tests.builders.page_history import PAGE, History, affected, alert, rule
from tests.builders.views import DAY, MINUTE, NOW, OPERATIONAL

RESOLVED, INVESTIGATING = IncidentStatus.RESOLVED, IncidentStatus.INVESTIGATING


class TestAtOnce:
    def test_an_alert_opens_an_incident_with_the_words_of_its_template(self) -> None:
        history = History()
        history.fires("api", "eu", starts_at=NOW - 2 * MINUTE)
        incident = history.incident
        assert (incident.title, incident.status, incident.impact) == ("API errors in Europe", INVESTIGATING, "critical")
        assert incident.updates[0].body == "Requests in Europe fail (all: Europe). News by 15:50 CET."
        assert incident.promise_at == NOW + 30 * MINUTE
        assert history.cells == {"api/eu": "major_outage"}
        assert history.drafts == []

    def test_it_counts_from_its_start_in_the_world_a_day_back_at_the_most(self) -> None:
        for start, counts_from in [(NOW - 3 * MINUTE, NOW - 3 * MINUTE), (NOW - 9 * DAY, NOW - DAY), (NOW + DAY, NOW)]:
            history = History()
            history.fires(starts_at=start)
            assert history.incident.started_at == counts_from
            (changed,) = history.emitted_changes()
            assert changed.occurred_at == counts_from

    def test_the_last_alert_that_clears_resolves_it(self) -> None:
        history = History()
        history.fires()
        history.wait(12 * MINUTE)
        history.clears()
        assert history.incident.status is RESOLVED
        assert history.incident.updates[-1].body == "The API in Europe works again after 12 minutes."
        assert (history.cells, history.groups, history.incident.promise_at) == ({}, [], None)


class TestAfterADelay:
    def test_it_is_published_when_the_delay_is_over(self) -> None:
        history = History()
        history.fires("web", "eu", starts_at=NOW - MINUTE)
        history.wait(5 * MINUTE - 1)
        assert (history.incidents, history.cells, history.notices) == ([], {}, [])
        assert history.draft.publish_at == NOW + 5 * MINUTE
        history.wait(1)
        assert history.drafts == []
        assert (history.incident.created_at, history.incident.started_at) == (NOW + 5 * MINUTE, NOW - MINUTE)
        assert history.incident.promise_at == NOW + 35 * MINUTE
        assert history.cells == {"web/eu": "major_outage"}

    def test_the_time_it_names_is_the_promise_that_it_makes(self) -> None:
        history = History([rule("web", Publish.AFTER, delay=300)])
        history.fires("web", "eu")
        history.wait(2 * MINUTE)
        history.fires("web", "us")
        history.wait(3 * MINUTE)
        assert history.incident.promise_at == NOW + 35 * MINUTE
        assert history.incident.updates[0].body.endswith("News by 15:55 CET.")

    def test_it_is_dropped_if_it_clears_in_time(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.wait(4 * MINUTE)
        history.clears("web", "eu")
        history.wait(DAY)
        assert (history.incidents, history.drafts, history.notices, history.groups) == ([], [], [], [])
        assert history.said(e.DraftWithdrawn)[0].reason == "the alerts cleared"

    def test_it_is_published_early_if_a_person_approves(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.wait(MINUTE)
        assert history.say(e.DraftApproved(history.draft.id)) is None
        assert history.incident.created_at == NOW + MINUTE
        history.wait(DAY)
        assert len(history.incidents) == 1

    def test_it_is_dropped_for_good_if_a_person_dismisses_it(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.say(e.DraftDismissed(history.draft.id, "a test of ours"))
        history.wait(DAY)
        assert (history.incidents, history.drafts) == ([], [])

    def test_more_that_joins_in_time_is_in_the_one_message(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.wait(2 * MINUTE)
        history.fires("web", "us", "warning")
        history.wait(3 * MINUTE)
        assert history.cells == {"web/eu": "major_outage", "web/us": "degraded_performance"}
        assert len(history.incident.updates) == 1

    def test_what_joins_afterwards_is_told_at_once(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.wait(5 * MINUTE)
        history.fires("web", "us")
        assert len(history.incident.updates) == 2
        assert history.cells == {"web/eu": "major_outage", "web/us": "major_outage"}


class TestOnceApproved:
    def test_nothing_is_public_before(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.wait(DAY)
        assert (history.incidents, history.notices, history.cells) == ([], [], {})
        assert (history.draft.waits_for, history.draft.publish_at) == ("approval", None)

    def test_the_very_words_that_lay_ready_go_out(self) -> None:
        history = History()
        history.fires("payments", "eu")
        draft = history.draft
        history.wait(10 * MINUTE)
        history.say(e.RulesDefined([]), actor="config")
        history.say(e.DraftApproved(draft.id))
        opened = history.said(e.IncidentOpened)[0]
        assert (opened.title, opened.body, opened.affects, opened.draft) == (
            draft.title,
            draft.body,
            draft.affects,
            draft.id,
        )
        assert opened.promise_at == NOW + 40 * MINUTE, "a promise counts from when it is made"
        assert history.incident.started_at == NOW
        assert history.drafts == []

    def test_a_second_region_revises_the_draft(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.fires("payments", "us", "warning")
        assert affected(history.draft.affects) == {"payments/eu": "major_outage", "payments/us": "degraded_performance"}
        assert history.draft.body.startswith("Requests in United States fail (all: Europe, United States)")
        history.clears("payments", "us", "warning")
        assert affected(history.draft.affects) == {"payments/eu": "major_outage"}
        assert [one.type for one in history.page_events() if "Draft" in one.type] == [
            "DraftWritten",
            "DraftRevised",
            "DraftRevised",
        ]

    def test_more_of_the_same_revises_nothing(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.fires("payments", "eu", fingerprint="another")
        history.clears("payments", "eu")
        assert history.said(e.DraftRevised) == []

    def test_it_is_withdrawn_when_its_alerts_clear(self) -> None:
        history = History()
        history.fires("payments", "eu")
        draft = history.draft
        history.clears("payments", "eu")
        assert (history.drafts, history.groups) == ([], [])
        assert history.say(e.DraftApproved(draft.id)) == "no such draft is waiting"
        assert history.incidents == []

    def test_it_is_approved_once(self) -> None:
        history = History()
        history.fires("payments", "eu")
        draft = history.draft.id
        assert [history.say(e.DraftApproved(draft)) for _ in range(2)] == [None, "no such draft is waiting"]
        assert len(history.incidents) == 1

    def test_a_second_region_of_a_public_incident_needs_its_own_approval(self) -> None:
        history = approved()
        history.fires("payments", "us")
        assert history.cells == {"payments/eu": "major_outage"}
        draft = history.draft
        assert (draft.incident, affected(draft.affects)) == (history.incident.id, {"payments/us": "major_outage"})
        history.wait(DAY)
        assert len(history.incident.updates) == 1
        history.say(e.DraftApproved(draft.id))
        assert history.cells == {"payments/eu": "major_outage", "payments/us": "major_outage"}
        assert history.incident.updates[-1].body == draft.body

    def test_what_gets_worse_needs_its_own_approval_and_what_gets_better_none(self) -> None:
        history = approved("warning")
        history.fires("payments", "eu", starts_at=NOW)
        assert history.cells == {"payments/eu": "degraded_performance"}
        history.fires("payments", "eu", "warning", starts_at=NOW)
        assert history.drafts == [], "it is better again, and there is nothing to say"

    def test_what_waits_is_withdrawn_with_the_incident(self) -> None:
        history = approved()
        history.fires("payments", "us")
        history.clears("payments", "eu")
        assert (history.cells, len(history.drafts)) == ({}, 1)
        history.clears("payments", "us")
        assert (history.drafts, history.incident.status) == ([], RESOLVED)

    def test_what_waits_goes_on_to_wait_whatever_becomes_of_the_rule(self) -> None:
        for rules in ([], [rule("payments", Publish.AUTO)]):
            history = approved()
            history.fires("payments", "us")
            history.say(e.RulesDefined(rules), actor="config")
            history.fires("payments", "us", fingerprint="another", starts_at=NOW)
            history.clears("payments", "eu")
            assert len(history.incident.updates) == 1
            assert affected(history.draft.affects) == {"payments/us": "major_outage"}


def approved(severity: str = "critical") -> History:
    """Payments in Europe, approved and public."""
    history = History()
    history.fires("payments", "eu", severity)
    history.say(e.DraftApproved(history.draft.id))
    return history


class TestDismissed:
    def test_the_same_is_not_drafted_again(self) -> None:
        history = dismissed("warning")
        history.fires("payments", "eu", "warning", fingerprint="another")
        history.fires("payments", "eu", "warning", fingerprint="a third")
        assert history.drafts == []

    def test_a_worse_status_is(self) -> None:
        history = dismissed("warning")
        history.fires("payments", "eu", starts_at=NOW)
        assert affected(history.draft.affects) == {"payments/eu": "major_outage"}

    def test_another_region_is(self) -> None:
        history = dismissed("critical")
        history.fires("payments", "us", "warning")
        assert affected(history.draft.affects) == {"payments/eu": "major_outage", "payments/us": "degraded_performance"}

    def test_when_all_cleared_it_begins_anew(self) -> None:
        history = dismissed("critical")
        history.clears("payments", "eu")
        history.wait(MINUTE)
        history.fires("payments", "eu")
        assert len(history.drafts) == 1

    def test_a_second_region_that_was_dismissed_stays_untold_and_the_incident_ends_with_both(self) -> None:
        history = approved()
        history.fires("payments", "us")
        history.say(e.DraftDismissed(history.draft.id, "known"))
        history.clears("payments", "eu")
        assert (history.cells, history.incident.is_open) == ({}, True)
        history.clears("payments", "us")
        assert history.incident.status is RESOLVED


def dismissed(severity: str) -> History:
    history = History()
    history.fires("payments", "eu", severity)
    history.say(e.DraftDismissed(history.draft.id, "planned"))
    return history


class TestRaces:
    """What lies between a decision and the fact that it becomes. ``take`` puts both on the log before either is folded."""

    def test_an_approval_behind_the_end_of_the_alerts_publishes_nothing(self) -> None:
        history = History()
        history.fires("payments", "eu")
        draft = history.draft.id
        history.race(closed(history), e.DraftApproved(draft))
        assert history.incidents == []
        assert history.drafts == [], "and leaves no draft behind that nobody can approve"

    def test_an_approval_behind_a_second_region_publishes_what_was_read_and_catches_up(self) -> None:
        history = History()
        history.fires("payments", "eu")
        draft = history.draft
        history.race(opened("payments", "us"), e.DraftApproved(draft.id))
        assert history.said(e.IncidentOpened)[0].body == draft.body
        assert history.cells == {"payments/eu": "major_outage"}
        assert affected(history.draft.affects) == {"payments/us": "major_outage"}, "it needs an approval of its own"

    def test_an_early_approval_of_a_delayed_draft_catches_up_without_asking(self) -> None:
        history = History()
        history.fires("web", "eu")
        history.race(opened("web", "us"), e.DraftApproved(history.draft.id))
        assert history.cells == {"web/eu": "major_outage", "web/us": "major_outage"}
        assert len(history.incident.updates) == 2

    def test_an_approval_behind_a_region_that_cleared_catches_up_in_silence(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.fires("payments", "us")
        history.race(closed(history, "payments-us"), e.DraftApproved(history.draft.id))
        assert history.cells == {"payments/eu": "major_outage"}
        assert len(history.incident.updates) == 1

    def test_a_dismissal_behind_the_end_of_the_alerts_changes_nothing(self) -> None:
        history = History()
        history.fires("payments", "eu")
        history.race(closed(history), e.DraftDismissed(history.draft.id, "late"))
        assert (history.incidents, history.drafts, history.groups) == ([], [], [])


def opened(service: str, region: str) -> e.EpisodeOpened:
    labels = {"service": service, "region": region}
    return e.EpisodeOpened(f"{service}-{region}-2", "prom", "x", Severity.CRITICAL, NOW, "ill", labels, {}, "", False)


def closed(history: History, fingerprint: str = "payments-eu") -> e.EpisodeClosed:
    (episode,) = [one.episode for one in history.said(e.EpisodeOpened) if one.fingerprint == fingerprint]
    return e.EpisodeClosed(episode, "prom", fingerprint, NOW, "resolved")


class TestWhatTellsNobody:
    def test_it_is_kept_with_its_reason_until_it_ends(self) -> None:
        history = History()
        history.fires("fax", "eu")
        history.fires("api", "mars")
        history.fires("api", "eu", "info")
        assert history.unrouted == {
            "fax in eu is ill": "no rule matches",
            "api in mars is ill": "rule api leads to the region 'mars', where api does not run",
            "api in eu is ill": "rule api has no status for the severity info",
        }
        assert (history.incidents, history.notices) == ([], [])
        history.clears("fax", "eu")
        assert len(history.unrouted) == 2

    def test_a_severity_that_has_a_status_lets_it_speak_with_the_words_of_the_alert(self) -> None:
        history = History([rule("api", template="slow")])
        history.fires("api", "eu", "info")
        history.fires("api", "eu", starts_at=NOW)
        assert history.unrouted == {}
        assert history.incident.updates[0].body == "Slow, says api in eu is ill."

    def test_a_severity_without_a_status_takes_it_back_and_keeps_it_in_sight(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.fires("api", "eu", "info", starts_at=NOW)
        assert history.incident.status is RESOLVED
        assert history.unrouted == {"api in eu is ill": "rule api has no status for the severity info"}
        history.clears("api", "eu", "info")
        assert history.unrouted == {}

    def test_a_change_under_other_rules_moves_it_to_where_it_now_belongs(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.say(e.RulesDefined([rule("second", labels={"service": "api"}, component="web")]), actor="config")
        history.fires("api", "eu", "warning", starts_at=NOW)
        assert history.cells == {"web/eu": "degraded_performance"}
        first, second = history.incidents
        assert (first.is_open, second.is_open) == (False, True)
        history.clears("api", "eu", "warning")
        assert history.cells == {}

    def test_the_list_is_bounded_and_forgets_the_oldest(self) -> None:
        history = History()
        history.post(
            *(
                alert("fax", "eu", fingerprint=f"{n:04}", title=f"{n:04}", starts_at=NOW + n)
                for n in range(MAX_UNROUTED)
            )
        )
        assert len(history.unrouted) == MAX_UNROUTED
        history.wait(MINUTE)
        history.post(*(alert("fax", "eu", fingerprint=f"n{n}", title=f"n{n}", starts_at=NOW + n) for n in range(101)))
        assert len(history.unrouted) == MAX_UNROUTED + 1
        assert {f"n{n}" for n in range(101)} <= history.unrouted.keys()
        assert "0000" not in history.unrouted


class TestDrills:
    """A rehearsal goes the whole road, and stays one, whoever or whatever takes the next step."""

    def test_it_touches_no_cell_and_tells_nobody(self) -> None:
        history = History()
        for service in ("api", "web", "payments"):
            data = replace(opened(service, "eu"), episode=service)
            history.say(data, actor="tocsin", drill=True)
        history.say(e.DraftApproved(next(one.id for one in history.drafts if one.component == "payments")))
        history.wait(10 * MINUTE)
        assert [one.drill for one in history.incidents] == [True] * 3
        assert (history.cells, history.notices) == ({}, [])
        for incident in history.incidents:
            history.updates(incident.id, IncidentStatus.IDENTIFIED, (f"{incident.component}/eu", CellStatus.DEGRADED))
            history.say(e.IncidentCellsChanged(incident.id, []), actor="tocsin")
            history.resolves(incident.id)
        assert (history.cells, history.notices) == ({}, [])
        assert len(history.page.tables["cells"].rows(PAGE)) == 0

    def test_a_real_incident_is_not_made_a_drill_by_an_update(self) -> None:
        history = History()
        history.fires("api", "eu")
        history.say(
            e.IncidentUpdated(history.incident.id, "u", "x", RESOLVED, None, [], None, None),
            actor="operator:ada",
            drill=True,
        )
        assert history.cells == {}
        assert history.notices[-1].status == RESOLVED
        assert history.notices[-1].changes[0].new is OPERATIONAL

"""Who is told what: the notice that a fact becomes, with all that chooses its audience and that a channel renders."""

from schemas import events as e
from schemas.events import Notice
from schemas.vocabulary import Impact, IncidentStatus, Kind, MaintenanceStatus
from streams.domain.pages import PAGES
from streams.domain.processor import Output
from streams.domain.state import memory_state
from tests.builders.page_history import PAGE, History
from tests.builders.views import DEGRADED, HOUR, MINUTE, NOW, OPERATIONAL, SETTINGS, effect

IDENTIFIED, RESOLVED, POSTMORTEM = IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM


def changes(notice: Notice) -> dict[str, tuple[str, str]]:
    return {e.Cell(one.component, one.region).key: (one.old, one.new) for one in notice.changes}


def affects(notice: Notice) -> dict[str, str]:
    """The cells as people name them, with their status."""
    return dict(zip(notice.components, (one.status for one in notice.affects), strict=True))


def test_an_opening_tells_all_that_a_channel_needs() -> None:
    history = History()
    history.fires("api", "eu", starts_at=NOW - MINUTE)
    (notice,) = history.notices
    assert changes(notice) == {"api/eu": ("operational", "major_outage")}
    assert affects(notice) == {"API (Europe)": "major_outage"}
    incident = history.incident
    assert (notice.kind, notice.subject_id, notice.update) == (Kind.INCIDENT, incident.id, incident.updates[0].id)
    assert (notice.title, notice.body, notice.status) == (incident.title, incident.updates[0].body, "investigating")
    assert (notice.impact, notice.impact_chosen) == ("critical", False)
    assert (notice.page_name, notice.page_url, notice.timezone) == (SETTINGS.name, SETTINGS.url, SETTINGS.timezone)
    assert (notice.promise_at, notice.started_at, notice.published_at) == (NOW + 30 * MINUTE, NOW - MINUTE, NOW)


def test_an_update_tells_of_what_changed_to_whom_it_concerns_and_of_all_that_is_affected() -> None:
    history = History()
    history.fires("api", "eu")
    history.fires("api", "us", "warning")
    notice = history.notices[1]
    assert changes(notice) == {"api/us": ("operational", "degraded_performance")}
    assert affects(notice) == {"API (Europe)": "major_outage", "API (United States)": "degraded_performance"}


def test_the_all_clear_tells_that_it_is_over() -> None:
    history = History()
    name = history.opens("api/eu", "login", promise_at=NOW + HOUR)
    history.updates(name, IDENTIFIED, ("login", OPERATIONAL))
    history.resolves(name)
    notice = history.notices[-1]
    assert (changes(notice), notice.status, notice.promise_at) == (
        {"api/eu": ("major_outage", "operational")},
        RESOLVED,
        None,
    )
    assert affects(notice) == {"API (Europe)": "operational"}


def test_a_post_mortem_changes_no_cell_and_promises_nothing() -> None:
    history = History()
    name = history.opens("login")
    history.resolves(name)
    history.updates(name, POSTMORTEM, promise_at=NOW + HOUR)
    notice = history.notices[-1]
    assert (notice.status, changes(notice), affects(notice), notice.promise_at) == (POSTMORTEM, {}, {}, None)


def test_an_impact_that_a_person_chose_is_marked() -> None:
    history = History()
    history.opens("login", status=DEGRADED, impact=Impact.CRITICAL)
    assert (history.notices[0].impact, history.notices[0].impact_chosen) == ("critical", True)


def test_names_follow_the_catalogue_and_fall_back_on_ids() -> None:
    history = History()
    history.opens("api/mars", "fax", "login")
    assert history.notices[0].components == ["API (mars)", "fax", "Login"]


def test_maintenance_tells_of_its_cells_at_each_step() -> None:
    history = History()
    name = history.schedules("login", starts_in=10 * MINUTE, lasts=HOUR)
    history.wait(10 * MINUTE)
    history.maintains(name, MaintenanceStatus.VERIFYING)
    history.wait(HOUR)
    assert [notice.kind for notice in history.notices] == [Kind.MAINTENANCE] * 4
    assert [notice.status for notice in history.notices] == ["scheduled", "in_progress", "verifying", "completed"]
    before, after = ("operational", "under_maintenance"), ("under_maintenance", "operational")
    assert [changes(notice)["login"] for notice in history.notices] == [before, before, before, after]
    assert {notice.promise_at for notice in history.notices} == {NOW + 70 * MINUTE}, "it promises its end"
    assert {notice.impact for notice in history.notices} == {"none"}


def test_a_reminder_tells_operators_of_the_promise() -> None:
    history = History()
    history.fires("api", "eu")
    history.wait(25 * MINUTE)
    notice = history.notices[-1]
    assert (notice.kind, notice.promise_at, notice.changes) == (Kind.REMINDER, NOW + 30 * MINUTE, [])
    assert affects(notice) == {"API (Europe)": "major_outage"}
    assert notice.update not in {update.id for update in history.incident.updates}


def test_what_is_silent_tells_nobody() -> None:
    history = History()
    history.fires("payments", "eu")
    history.fires("payments", "us")
    history.say(e.DraftDismissed(history.draft.id, ""))
    history.say(e.IncidentCellsChanged(history.opens("login"), [effect("login", DEGRADED)]), actor="tocsin")
    assert [notice.subject_id for notice in history.notices] == [history.incident.id]


def test_a_page_that_was_never_defined_is_called_by_its_id() -> None:
    state = memory_state(PAGES.tables)
    opened = e.IncidentOpened(
        "aa", "bb", "T", "B", IDENTIFIED, None, [effect("login", DEGRADED)], None, None, None, None
    )
    out = Output(e.Event("ee", PAGE, NOW, NOW, "operator:ada", None, None, drill=False, data=opened))
    PAGES.step(state, out.cause, out)
    (notice,) = [one.data.notice for one in out.emitted if isinstance(one.data, e.NoticePublished)]
    assert (notice.page_name, notice.timezone, notice.components) == (PAGE, "UTC", ["login"])


def test_each_notice_has_an_update_of_its_own() -> None:
    history = History()
    history.fires("api", "eu")
    history.wait(25 * MINUTE)
    history.fires("api", "us")
    history.clears("api", "eu")
    history.clears("api", "us")
    history.schedules("login")
    updates = [notice.update for notice in history.notices]
    assert len(set(updates)) == len(updates) == 5

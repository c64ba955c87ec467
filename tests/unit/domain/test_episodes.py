"""The fold of alert instances: which facts it emits, that its ids follow from causes alone, and when leases end."""

import pytest

from schemas import events as e
from schemas.events import AnyEvent, Event, Micros
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.episodes import EPISODES, INSTANCES, episode_id, step
from streams.domain.processor import Output
from streams.domain.state import memory_state
from tests.builders.page_history import PAGE, Fold, History, alert, instance
from tests.builders.views import MINUTE, NOW

WARNING = Severity.WARNING


def heard(history: History) -> list[str]:
    """What the page heard of episodes, in order."""
    kinds = (e.EpisodeOpened, e.EpisodeChanged, e.EpisodeClosed)
    return [event.type for event in history.emitted("tocsin.pages") if isinstance(event.data, kinds)]


def reasons(history: History) -> list[str]:
    return [closed.reason for closed in history.said(e.EpisodeClosed)]


def test_an_episode_from_its_start_to_its_end() -> None:
    history = History()
    history.fires("api", "eu", starts_at=NOW - MINUTE)
    history.wait(10 * MINUTE)
    history.clears("api", "eu", ends_at=NOW + 9 * MINUTE)
    (opened,), (closed,) = history.said(e.EpisodeOpened), history.said(e.EpisodeClosed)
    assert opened.episode == closed.episode == episode_id(PAGE, "prom", "api-eu", NOW - MINUTE)
    assert (opened.started_at, closed.ended_at, closed.reason) == (NOW - MINUTE, NOW + 9 * MINUTE, "resolved")
    assert (opened.title, opened.labels) == ("api in eu is ill", {"service": "api", "region": "eu"})


def test_repeats_are_no_events() -> None:
    history = History()
    for _ in range(5):
        history.fires(starts_at=NOW)
        history.wait(MINUTE)
    assert len(history.emitted("tocsin.alerts")) == 1


def test_a_refire_opens_the_new_one_before_it_closes_the_old_one() -> None:
    history = History()
    history.fires(starts_at=NOW)
    history.wait(MINUTE)
    history.fires()
    assert heard(history) == ["EpisodeOpened", "EpisodeOpened", "EpisodeClosed"]
    old, new = history.said(e.EpisodeOpened)
    assert [(one.episode, one.reason, one.ended_at) for one in history.said(e.EpisodeClosed)] == [
        (old.episode, "refired", new.started_at)
    ]
    assert len(history.incidents) == 1
    assert history.cells == {"api/eu": "major_outage"}


def test_the_severity_changes_and_changes_back() -> None:
    history = History()
    history.fires(starts_at=NOW)
    history.fires(severity="warning", starts_at=NOW, title="not so bad", url="https://graph.example")
    history.fires(starts_at=NOW)
    changes = history.said(e.EpisodeChanged)
    assert [one.severity for one in changes] == ["warning", "critical"]
    assert (changes[0].title, changes[0].url) == ("not so bad", "https://graph.example")
    assert len(history.emitted("tocsin.alerts")) == 3, "the change back is no repeat of the first report"
    assert history.cells == {"api/eu": "major_outage"}


class TestLeases:
    LEASE: Micros = 4 * MINUTE

    def beat(self, history: History) -> None:
        history.fires(starts_at=NOW, expires_at=history.now + self.LEASE)

    def test_a_repeating_monitor_is_appended_once_per_half_lease(self) -> None:
        history = History()
        for _ in range(21):
            self.beat(history)
            history.wait(MINUTE)
        assert [type(event.data) for event in history.emitted("tocsin.alerts")].count(e.AlertRefreshed) == 20 // 3
        assert heard(history) == ["EpisodeOpened"]

    def test_a_monitor_that_falls_silent_ends_its_alerts_when_the_lease_ends(self) -> None:
        history = History()
        self.beat(history)
        history.wait(3 * MINUTE)
        self.beat(history)
        history.wait(self.LEASE - 1)
        assert history.cells == {"api/eu": "major_outage"}
        history.wait(1)
        assert reasons(history) == ["expired"]
        assert history.said(e.EpisodeClosed)[0].ended_at == NOW + 3 * MINUTE + self.LEASE
        assert history.cells == {}

    def test_it_comes_back_and_fires_as_a_new_episode(self) -> None:
        history = History()
        self.beat(history)
        history.wait(20 * MINUTE)
        self.beat(history)
        first, second = history.said(e.EpisodeOpened)
        assert (first.started_at, second.started_at) == (NOW, NOW + 20 * MINUTE)
        assert len(history.incidents) == 2

    def test_resolved_in_time_takes_the_timer_back(self) -> None:
        history = History()
        self.beat(history)
        history.clears()
        assert history.episodes.timers == {}
        history.wait(20 * MINUTE)
        assert reasons(history) == ["resolved"]

    def test_a_change_of_severity_moves_the_lease_too(self) -> None:
        history = History()
        self.beat(history)
        history.wait(3 * MINUTE)
        history.fires(severity="warning", starts_at=NOW, expires_at=history.now + self.LEASE)
        history.wait(2 * MINUTE)
        assert history.cells == {"api/eu": "degraded_performance"}, "the first lease would be over by now"

    def test_a_timer_that_was_under_way_when_the_lease_moved_leaves_it_a_timer(self) -> None:
        # The wake-up lies on the log behind the refresh, and uses up the wish of the new lease.
        fold = Fold(EPISODES)
        for event in leased():
            fold.fold(event)
        assert fold.timers == {"lease:prom/api-eu": NOW + 8 * MINUTE}

    def test_a_timer_that_comes_twice_closes_once(self) -> None:
        fold = Fold(EPISODES)
        opened, _, _ = leased()
        fold.fold(opened)
        timer = fired(NOW + 4 * MINUTE)
        assert [one.type for one in fold.fold(timer).emitted] == ["EpisodeClosed"]
        again = fold.fold(timer)
        assert (again.emitted, again.ignored) == ([], "no lease is running")


def leased() -> list[AnyEvent]:
    """An alert under a lease, its refresh, and the timer of the first lease, which comes too late."""
    opened = received("one", expires_at=NOW + 4 * MINUTE)
    assert isinstance(opened.data, e.AlertReceived)
    refreshed = e.AlertRefreshed("prom", "api-eu", opened.data.episode, NOW + 8 * MINUTE)
    return [opened, Event("two", PAGE, NOW, NOW, "source:prom", None, None, False, refreshed), fired(NOW + 4 * MINUTE)]


def fired(due: Micros) -> AnyEvent:
    data = e.TimerFired("episodes", "lease:prom/api-eu", due)
    return Event(f"timer {due}", PAGE, due, due, "tocsin", None, None, False, data)


def received(identifier: str, *, at: Micros = NOW, expires_at: Micros | None = None, drill: bool = False) -> AnyEvent:
    data = e.AlertReceived(
        "prom", "api-eu", episode_id(PAGE, "prom", "api-eu", at), AlertStatus.FIRING, Severity.CRITICAL, at, None, expires_at,
        "ill", {}, {}, "", "", False, False,
    )  # fmt: skip
    return Event(identifier, PAGE, at, at, "source:prom", None, None, drill, data)


def test_what_it_emits_is_a_function_of_the_cause_alone() -> None:
    def emitted(event: AnyEvent) -> AnyEvent:
        (found,) = Fold(EPISODES).fold(event).emitted
        return found

    cause = received("one")
    one = emitted(cause)
    assert one == emitted(cause)
    assert one.id != emitted(received("two")).id
    assert (one.causation_id, one.correlation_id, one.actor, one.recorded_at) == ("one", "one", "tocsin", NOW)
    assert emitted(received("one", drill=True)).drill


def test_the_same_event_twice_is_one() -> None:
    history = History()
    history.fires()
    (event,) = history.emitted("tocsin.alerts")
    out = history.episodes.fold(event)
    assert (out.emitted, out.ignored) == ([], "an unchanged repeat")


@pytest.mark.parametrize("which", range(3))
def test_an_earlier_severity_that_a_log_repeats_does_not_come_back(which: int) -> None:
    history = History()
    for severity in ("critical", "warning", "error"):
        history.fires(severity=severity, starts_at=NOW)
    out = history.episodes.fold(history.emitted("tocsin.alerts")[which])
    assert out.emitted == []
    assert instance(history).severity is Severity.ERROR
    history.fires(severity="critical", starts_at=NOW)
    assert instance(history).severity is Severity.CRITICAL, "a monitor may say again what it said before"


def test_a_firing_without_a_start_is_not_opened_twice() -> None:
    history = History()
    history.fires(starts_at=None)
    first = history.emitted("tocsin.alerts")[0]
    history.clears()
    out = history.episodes.fold(first)
    assert (out.emitted, out.ignored) == ([], "this episode was opened before")


@pytest.mark.parametrize(
    "timer", ["", "lease", "lease:", "lease:prom", "lease:prom/none", "promise:x", "lease:prom/api-eu/more"]
)
def test_a_timer_of_nobody_is_ignored(timer: str) -> None:
    out = Output(Event("t", PAGE, NOW, NOW, "tocsin", None, None, False, e.TimerFired("episodes", timer, NOW)))
    step(memory_state(EPISODES.tables), out.cause, out)
    assert (out.emitted, out.wakes, out.ignored) == ([], {}, "no lease is running")


def test_a_refresh_of_another_episode_is_ignored() -> None:
    history = History()
    history.fires(expires_at=NOW + MINUTE)
    for episode, expires_at, why in [
        ("other", NOW + 9 * MINUTE, "no such episode is running"),
        (instance(history).episode, NOW + MINUTE, "the lease lasts longer already"),
    ]:
        refreshed = e.AlertRefreshed("prom", "api-eu", episode, expires_at)
        assert history.say(refreshed, actor="source:prom") == why


def test_a_body_may_hold_the_end_of_what_it_begins() -> None:
    history = History()
    begin = alert("api", "eu", starts_at=NOW - MINUTE)
    end = alert("api", "eu", status=AlertStatus.RESOLVED, starts_at=NOW - MINUTE, ends_at=NOW)
    history.post(begin, end, begin)
    assert heard(history) == ["EpisodeOpened", "EpisodeClosed"]
    assert history.cells == {}


def test_the_tables_hold_instances_only() -> None:
    history = History()
    history.fires()
    assert list(history.episodes.tables) == [INSTANCES]
    assert instance(history).ended_at is None

"""Per alert instance: what is news, what is a repeat, and where one episode ends and the next begins.

The intake asks ``judge`` before it appends; the fold asks it again at the alert's place in the log, which decides.
"""

from typing import TypeAlias

import msgspec

from schemas import events as e
from schemas.events import AnyEvent, Micros
from schemas.ids import derive
from schemas.topics import ALERTS, instance_key
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec

INSTANCES = "instances"
LEASE = "lease"
_REMEMBERED = 50
"""Severities of an episode that are known when they come again."""


class Instance(msgspec.Struct, frozen=True, gc=False):
    """What is known of one alert instance: its newest episode. ``ended_at`` is None while it fires.

    ``told_end`` is the end as the monitor stated it, None where it is only known when we heard of it. ``changes``
    counts the severities that the episode has had after its first.
    """

    episode: str
    severity: Severity
    started_at: Micros
    expires_at: Micros | None
    ended_at: Micros | None
    told_end: Micros | None
    end_reason: str
    changes: int


class Report(msgspec.Struct, frozen=True, gc=False):
    """What a monitor says of an instance, as far as episodes are concerned."""

    status: AlertStatus
    severity: Severity
    starts_at: Micros | None
    ends_at: Micros | None
    expires_at: Micros | None
    inconclusive: bool = False
    test: bool = False


class Opens(msgspec.Struct, frozen=True, gc=False):
    """A new episode begins; ``instead`` is the running one that it replaces."""

    started_at: Micros
    instead: str | None


class Changes(msgspec.Struct, frozen=True, gc=False):
    """The running episode has another severity."""


class Refreshes(msgspec.Struct, frozen=True, gc=False):
    """The running episode's lease moves."""

    expires_at: Micros


class Closes(msgspec.Struct, frozen=True, gc=False):
    """The running episode ends."""

    ended_at: Micros


class Nothing(msgspec.Struct, frozen=True, gc=False):
    """No news. ``keep`` says that the report belongs on the record all the same (the first of its kind)."""

    reason: str
    keep: bool = False


Judgement: TypeAlias = Opens | Changes | Refreshes | Closes | Nothing


def judge(known: Instance | None, report: Report, now: Micros) -> Judgement:
    """Say what ``report``, received at ``now``, means for an instance in this state. The table of DESIGN section 6."""
    if report.test:
        return Nothing("a test of the monitor", keep=True)
    if report.status is AlertStatus.RESOLVED:
        return _judge_resolved(known, report, now)
    if known is None:
        return Opens(_start(report, now), None)
    if known.ended_at is not None:
        return _judge_firing_again(known, report, now)
    return _judge_still_firing(known, report, now)


def _judge_still_firing(known: Instance, report: Report, now: Micros) -> Judgement:
    # Under a lease the start is no identity: replicas of one monitor each saw it begin at a time of their own.
    if report.starts_at is not None and known.expires_at is None:
        if report.starts_at > known.started_at:
            return Opens(report.starts_at, known.episode)
        if report.starts_at < known.started_at:
            return Nothing("a late firing of an earlier episode")
    if report.severity is not known.severity:
        return Changes()
    if _moves_lease(known, report, now):
        assert report.expires_at is not None, "only a lease moves"
        return Refreshes(report.expires_at)
    return Nothing("an unchanged repeat")


def _judge_resolved(known: Instance | None, report: Report, now: Micros) -> Judgement:
    if report.inconclusive:
        return Nothing("the monitor lost sight of it: no recovery", keep=True)
    if known is None:
        return Nothing("resolved without having fired", keep=True)
    if known.ended_at is not None:
        return Nothing("resolved already")
    if report.ends_at is not None and report.ends_at < known.started_at:
        return Nothing("a late end of an earlier episode", keep=True)
    return Closes(now if report.ends_at is None else min(report.ends_at, now))


def _judge_firing_again(known: Instance, report: Report, now: Micros) -> Judgement:
    if known.end_reason == "expired" and report.expires_at is not None:
        # Its monitor was gone for longer than the lease and still says the same: it fires, and did so all along.
        return Opens(now, None) if report.expires_at > now else Nothing("a lease that is over")
    if report.starts_at is None:
        return Opens(now, None)
    if report.starts_at <= known.started_at:
        return Nothing("a late firing of a closed episode")
    if known.told_end is not None and report.starts_at <= known.told_end:
        return Nothing("a late firing from before the end")
    return Opens(report.starts_at, None)


def _start(report: Report, now: Micros) -> Micros:
    return now if report.starts_at is None else report.starts_at


def _moves_lease(known: Instance, report: Report, now: Micros) -> bool:
    # At most once per half lease: each repeat of a Prometheus would otherwise be an event.
    if report.expires_at is None or report.expires_at <= max(now, known.expires_at or now):
        return False
    return known.expires_at is None or known.expires_at - now < (report.expires_at - now) // 2


def episode_id(page: str, source: str, fingerprint: str, started_at: Micros) -> str:
    """Return the id of the episode of an instance that began at ``started_at``."""
    return derive("episode", page, source, fingerprint, str(started_at))


def alert_id(page: str, source: str, fingerprint: str, episode: str, status: AlertStatus, sort: str) -> str:
    """Return the id of an alert's event: the same for whoever says the same of an episode.

    ``sort`` counts the severities of an episode, or names what is no news and yet kept.
    """
    return derive("alert", page, source, fingerprint, episode, status, sort)


def table_key(source: str, fingerprint: str) -> str:
    """Return the key of an instance in the table of its page."""
    return f"{source}/{fingerprint}"


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one event of ``tocsin.alerts``."""
    match event.data:
        case e.AlertReceived() as alert:
            _received(state, event, alert, out)
        case e.AlertRefreshed() as refreshed:
            _refreshed(state, event, refreshed, out)
        case e.TimerFired(timer=timer, due=due):
            _lease_over(state, event, timer.removeprefix(f"{LEASE}:"), due, out)
        case _:
            out.ignore("not an event of an alert")


def _received(state: State, event: AnyEvent, alert: e.AlertReceived, out: Output) -> None:
    key = table_key(alert.source, alert.fingerprint)
    known: Instance | None = state[INSTANCES].get(event.page, key)
    report = Report(
        alert.status, alert.severity, alert.starts_at, alert.ends_at, alert.expires_at, alert.inconclusive, alert.test
    )
    match _verdict(known, report, event, alert):
        case Opens(started_at=started_at, instead=instead):
            if known is not None and known.episode == alert.episode:
                out.ignore("this episode was opened before")
                return
            opened = Instance(alert.episode, alert.severity, started_at, alert.expires_at, None, None, "", 0)
            state[INSTANCES].put(event.page, key, opened)
            out.emit(_opened(alert, started_at), started_at)
            if instead is not None:
                # After the new one: what the two affect must not clear in between.
                closed = e.EpisodeClosed(instead, alert.source, alert.fingerprint, started_at, "refired")
                out.emit(closed, started_at)
            _lease(alert.source, alert.fingerprint, alert.expires_at, out)
        case Changes():
            assert known is not None, "only a known instance changes"
            changed = msgspec.structs.replace(known, severity=alert.severity, changes=known.changes + 1)
            if _moves_lease(known, report, event.recorded_at):
                changed = msgspec.structs.replace(changed, expires_at=alert.expires_at)
                _lease(alert.source, alert.fingerprint, alert.expires_at, out)
            state[INSTANCES].put(event.page, key, changed)
            out.emit(_changed(alert, known.episode), event.occurred_at)
        case Refreshes(expires_at=expires_at):
            assert known is not None, "only a known instance is refreshed"
            state[INSTANCES].put(event.page, key, msgspec.structs.replace(known, expires_at=expires_at))
            _lease(alert.source, alert.fingerprint, expires_at, out)
        case Closes(ended_at=ended_at):
            assert known is not None, "only a known instance closes"
            _close(state, event, key, _ended(known, ended_at, alert.ends_at, "resolved"), out)
        case Nothing(reason=reason):
            out.ignore(reason)


def _verdict(known: Instance | None, report: Report, event: AnyEvent, alert: e.AlertReceived) -> Judgement:
    verdict = judge(known, report, event.recorded_at)
    if isinstance(verdict, Changes | Closes) and _speaks_of_another(alert, known):
        return Nothing("said of an earlier episode")
    if isinstance(verdict, Changes) and known is not None and _was_said(event, alert, known):
        return Nothing("this was said of the episode before")
    return verdict


def _speaks_of_another(alert: e.AlertReceived, known: Instance | None) -> bool:
    # Where its time does not tell, the episode does that it was judged to belong to when it arrived: a log may repeat it.
    if known is None or known.episode == alert.episode:
        return False
    if alert.status is AlertStatus.FIRING:
        return alert.starts_at is None
    return alert.ends_at is None or alert.ends_at <= known.started_at


def _was_said(event: AnyEvent, alert: e.AlertReceived, known: Instance) -> bool:
    """Whether a log repeats the opening or an earlier severity of the running episode: its id tells."""
    if alert.episode != known.episode:
        return False
    counts = range(max(0, known.changes - _REMEMBERED), known.changes + 1)
    of = (event.page, alert.source, alert.fingerprint, alert.episode, alert.status)
    return event.id in (alert_id(*of, "0"), *(alert_id(*of, str(count)) for count in counts))


def _opened(alert: e.AlertReceived, started_at: Micros) -> e.EpisodeOpened:
    return e.EpisodeOpened(
        alert.episode,
        alert.source,
        alert.fingerprint,
        alert.severity,
        started_at,
        alert.title,
        alert.labels,
        alert.annotations,
        alert.url,
        alert.test,
    )


def _changed(alert: e.AlertReceived, episode: str) -> e.EpisodeChanged:
    return e.EpisodeChanged(
        episode,
        alert.source,
        alert.fingerprint,
        alert.severity,
        alert.title,
        alert.labels,
        alert.annotations,
        alert.url,
    )


def _refreshed(state: State, event: AnyEvent, refreshed: e.AlertRefreshed, out: Output) -> None:
    key = table_key(refreshed.source, refreshed.fingerprint)
    known: Instance | None = state[INSTANCES].get(event.page, key)
    if known is None or known.ended_at is not None or known.episode != refreshed.episode:
        out.ignore("no such episode is running")
    elif known.expires_at is not None and refreshed.expires_at <= known.expires_at:
        out.ignore("the lease lasts longer already")
    else:
        state[INSTANCES].put(event.page, key, msgspec.structs.replace(known, expires_at=refreshed.expires_at))
        _lease(refreshed.source, refreshed.fingerprint, refreshed.expires_at, out)


def _lease(source: str, fingerprint: str, expires_at: Micros | None, out: Output) -> None:
    if expires_at is not None:
        out.wake(f"{LEASE}:{table_key(source, fingerprint)}", expires_at)


def _lease_over(state: State, event: AnyEvent, key: str, due: Micros, out: Output) -> None:
    known: Instance | None = state[INSTANCES].get(event.page, key)
    if known is None or known.ended_at is not None or known.expires_at is None:
        out.ignore("no lease is running")
        return
    if known.expires_at > due:
        # A wake-up uses up the wish. This one was under way when the lease was renewed, so the wish is said again.
        out.wake(f"{LEASE}:{key}", known.expires_at)
        out.ignore("the lease was renewed")
        return
    _close(state, event, key, _ended(known, known.expires_at, None, "expired"), out)


def _ended(known: Instance, ended_at: Micros, told_end: Micros | None, reason: str) -> Instance:
    return msgspec.structs.replace(known, ended_at=ended_at, told_end=told_end, end_reason=reason)


def _close(state: State, event: AnyEvent, key: str, ended: Instance, out: Output) -> None:
    assert ended.ended_at is not None, "it ended"
    state[INSTANCES].put(event.page, key, ended)
    if ended.expires_at is not None:
        out.wake(f"{LEASE}:{key}", None)
    source, fingerprint = key.split("/", 1)
    closed = e.EpisodeClosed(ended.episode, source, fingerprint, ended.ended_at, ended.end_reason)
    out.emit(closed, ended.ended_at)


def _timer_key(page: str, timer: str) -> str:
    source, fingerprint = timer.removeprefix(f"{LEASE}:").split("/", 1)
    return instance_key(page, source, fingerprint)


def _prefetch(event: AnyEvent) -> list[tuple[str, str, str]]:
    match event.data:
        case (
            e.AlertReceived(source=source, fingerprint=fingerprint)
            | e.AlertRefreshed(source=source, fingerprint=fingerprint)
        ):
            return [(INSTANCES, event.page, table_key(source, fingerprint))]
        case e.TimerFired(timer=timer):
            return [(INSTANCES, event.page, timer.removeprefix(f"{LEASE}:"))]
        case _:
            return []


EPISODES = Processor(
    name="episodes",
    topics=(ALERTS.name,),
    types=frozenset({"AlertReceived", "AlertRefreshed", "TimerFired"}),
    tables=(TableSpec(INSTANCES, Instance, lazy=True),),
    step=step,
    prefetch=_prefetch,
    timer_key=_timer_key,
)

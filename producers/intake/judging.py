"""What one body's alerts are: news for the log, or repeats. Pure; the rules are ``streams.domain.episodes``'.

The id of an event is a function of the instance, the episode and what became of it, so that a sender who repeats
itself finds what it said before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from msgspec.structs import replace

from producers.sources.source import Alert
from schemas.events import AlertReceived, AlertRefreshed, AnyEvent, Event, EventData, Micros
from schemas.ids import derive
from schemas.vocabulary import AlertStatus
from streams.domain.episodes import (
    Changes,
    Closes,
    Instance,
    Nothing,
    Opens,
    Refreshes,
    Report,
    alert_id,
    episode_id,
    judge,
    table_key,
)


@dataclass(frozen=True)
class Origin:
    """Where a body came from, and when (our clock)."""

    page: str
    source: str
    body_hash: str
    now: Micros


class Verdicts:
    """What the alerts of one body came to: events in their order, and the states in which they leave their instances."""

    def __init__(self, origin: Origin, known: dict[str, Instance]) -> None:
        self.events: list[AnyEvent] = []
        self.states: dict[str, Instance] = {}
        self.ignored = 0
        self._origin = origin
        self._known = known

    def judge_all(self, keys: Sequence[str], alerts: Sequence[Alert]) -> None:
        """Judge alerts one after the other: a body may hold the end of what it begins."""
        for key, alert in zip(keys, alerts, strict=True):
            event, after = _weigh(self._origin, alert, self._known.get(key))
            if event is None:
                self.ignored += 1
                continue
            self.events.append(event)
            if after is not None:
                self._known[key] = self.states[key] = after


def keys_of(source: str, alerts: Sequence[Alert]) -> list[str]:
    """Return the keys under which the fold keeps these alerts' instances."""
    return [table_key(source, alert.fingerprint) for alert in alerts]


def _weigh(origin: Origin, alert: Alert, known: Instance | None) -> tuple[AnyEvent | None, Instance | None]:
    """Return the event to append, None for a repeat, and the instance's state after it, None where it stays."""
    verdict = judge(known, _report(alert), origin.now)
    if isinstance(verdict, Opens):
        episode = episode_id(origin.page, origin.source, alert.fingerprint, verdict.started_at)
        opened = Instance(episode, alert.severity, verdict.started_at, alert.expires_at, None, None, "", 0)
        return _received(origin, alert, episode, verdict.started_at, "0"), opened
    if isinstance(verdict, Nothing):
        return (_kept(origin, alert, known) if verdict.keep else None), None
    assert known is not None, "an instance that nobody knows opens or is nothing"
    match verdict:
        case Changes():
            count = known.changes + 1
            event = _received(origin, alert, known.episode, origin.now, str(count))
            return event, replace(known, severity=alert.severity, changes=count)
        case Refreshes(expires_at=expires_at):
            return _refreshed(origin, alert, known, expires_at), replace(known, expires_at=expires_at)
        case Closes(ended_at=ended_at):
            event = _received(origin, alert, known.episode, _happened(origin, alert), "0")
            return event, replace(known, ended_at=ended_at, told_end=alert.ends_at, end_reason="resolved")
        case _:
            assert_never(verdict)


def _report(alert: Alert) -> Report:
    return Report(
        alert.status, alert.severity, alert.starts_at, alert.ends_at, alert.expires_at, alert.inconclusive, alert.test
    )


def _kept(origin: Origin, alert: Alert, known: Instance | None) -> AnyEvent:
    """Return the record of what is no news and yet worth keeping: once for each episode and reason."""
    if alert.inconclusive and not alert.test and known is not None:
        episode = known.episode
    elif alert.starts_at is not None:
        episode = episode_id(origin.page, origin.source, alert.fingerprint, alert.starts_at)
    else:
        episode = derive("episode", origin.page, origin.source, alert.fingerprint, "unopened")
    sort = "test" if alert.test else "inconclusive" if alert.inconclusive else "late"
    return _received(origin, alert, episode, _happened(origin, alert), sort)


def _happened(origin: Origin, alert: Alert) -> Micros:
    said = alert.starts_at if alert.status is AlertStatus.FIRING else alert.ends_at
    return origin.now if said is None else said


def _received(origin: Origin, alert: Alert, episode: str, occurred_at: Micros, sort: str) -> AnyEvent:
    data = AlertReceived(
        origin.source,
        alert.fingerprint,
        episode,
        alert.status,
        alert.severity,
        alert.starts_at,
        alert.ends_at,
        alert.expires_at,
        alert.title,
        alert.labels,
        alert.annotations,
        alert.url,
        origin.body_hash,
        alert.test,
        alert.inconclusive,
    )
    identifier = alert_id(origin.page, origin.source, alert.fingerprint, episode, alert.status, sort)
    return _event(origin, identifier, occurred_at, data)


def _refreshed(origin: Origin, alert: Alert, known: Instance, expires_at: Micros) -> AnyEvent:
    data = AlertRefreshed(origin.source, alert.fingerprint, known.episode, expires_at)
    identifier = derive(
        "alert", origin.page, origin.source, alert.fingerprint, known.episode, "refreshed", str(expires_at)
    )
    return _event(origin, identifier, origin.now, data)


def _event(origin: Origin, identifier: str, occurred_at: Micros, data: EventData) -> AnyEvent:
    return Event(identifier, origin.page, occurred_at, origin.now, f"source:{origin.source}", None, None, False, data)

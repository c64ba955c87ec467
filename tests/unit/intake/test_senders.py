"""How senders really behave: retries, repeats, re-fires, leases, replays of a second replica, and what all of it leaves."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas.events import AlertReceived, AlertRefreshed, EpisodeClosed, EpisodeOpened, IncidentOpened, Micros
from tests.unit.intake.station import MINUTE, NOON, Station, bearer, client_of, token_of

ZERO = "0001-01-01T00:00:00Z"


def iso(minutes: float) -> str:
    """Return the time so many minutes after noon."""
    return (datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def at(minutes: float) -> Micros:
    return NOON + round(minutes * MINUTE)


def firing(name: str = "ApiErrors", start: float = 0, severity: str = "critical", **labels: str) -> dict[str, Any]:
    found = {"alertname": name, "service": "api", "region": "eu", "severity": severity, **labels}
    return {"status": "firing", "labels": found, "startsAt": iso(start), "endsAt": ZERO, "fingerprint": name.lower()}


def resolved(name: str = "ApiErrors", start: float = 0, end: float = 1, severity: str = "critical") -> dict[str, Any]:
    return {**firing(name, start, severity), "status": "resolved", "endsAt": iso(end)}


def group(*alerts: dict[str, Any], status: str = "firing") -> dict[str, Any]:
    return {"version": "4", "status": status, "receiver": "tocsin", "alerts": list(alerts)}


def check(state: str, changed: float | None = None) -> dict[str, Any]:
    """Return a body of the generic kind: an alert that names no start where ``changed`` is None."""
    times = {} if changed is None else {"starts_at": iso(changed)}
    return {"id": "login", "title": "Login", "status": state, "severity": "error", **times}


@dataclass(frozen=True)
class Post:
    """One body: when it arrives (minutes after noon), where, what it holds, and what it comes to."""

    when: float
    source: str
    body: Any
    accepted: int = 0
    ignored: int = 0
    deadlettered: int = 0


@dataclass(frozen=True)
class Story:
    """What a sender posts, and what then stands on the log: alerts, and episodes by (opened, how they closed)."""

    name: str
    posts: tuple[Post, ...]
    alerts: tuple[str, ...]
    opened: int
    closed: tuple[str, ...] = ()


STORIES = (
    Story(
        "a retry after a lost answer",
        (Post(0, "prom", group(firing()), accepted=1), Post(0.1, "prom", group(firing()), ignored=1)),
        ("firing",), 1,
    ),
    Story(
        "a retry of an alert that names no start",
        (Post(0, "other", check("down"), accepted=1), Post(0.1, "other", check("down"), ignored=1)),
        ("firing",), 1,
    ),
    Story(
        "repeats every four hours, with other words",
        (
            Post(0, "prom", group(firing()), accepted=1),
            Post(240, "prom", group(firing() | {"annotations": {"summary": "97 %"}}), ignored=1),
            Post(480, "prom", group(firing() | {"annotations": {"summary": "98 %"}}), ignored=1),
        ),
        ("firing",), 1,
    ),
    Story(
        "fires, is over, and fires again",
        (
            Post(0, "prom", group(firing(start=0)), accepted=1),
            Post(5, "prom", group(resolved(start=0, end=4)), accepted=1),
            Post(9, "prom", group(firing(start=8)), accepted=1),
            Post(12, "prom", group(resolved(start=8, end=11)), accepted=1),
        ),
        ("firing", "resolved", "firing", "resolved"), 2, ("resolved", "resolved"),
    ),
    Story(
        "fires again while the end got lost",
        (Post(0, "prom", group(firing(start=0)), accepted=1), Post(9, "prom", group(firing(start=8)), accepted=1)),
        ("firing", "firing"), 2, ("refired",),
    ),
    Story(
        "fires again without naming a start",
        (
            Post(0, "other", check("down"), accepted=1),
            Post(2, "other", check("up"), accepted=1),
            Post(3, "other", check("down"), accepted=1),
            Post(4, "other", check("up"), accepted=1),
            Post(4.1, "other", check("up"), ignored=1),
        ),
        ("firing", "resolved", "firing", "resolved"), 2, ("resolved", "resolved"),
    ),
    Story(
        "two replicas tell the same story one after the other",
        (
            Post(0, "prom", group(firing()), accepted=1),
            Post(2, "prom", group(resolved(end=1)), accepted=1),
            Post(2.1, "prom", group(firing()), ignored=1),
            Post(2.2, "prom", group(resolved(end=1)), ignored=1),
        ),
        ("firing", "resolved"), 1, ("resolved",),
    ),
    Story(
        "a replica's end comes before the other's beginning",
        (
            Post(0, "prom", group(firing()), accepted=1),
            Post(2, "prom", group(resolved(end=1)), accepted=1),
            Post(3, "prom", group(resolved(end=1)), ignored=1),
            Post(3.1, "prom", group(firing()), ignored=1),
        ),
        ("firing", "resolved"), 1, ("resolved",),
    ),
    Story(
        "an end of the episode before comes late",
        (
            Post(0, "prom", group(firing(start=0)), accepted=1),
            Post(9, "prom", group(firing(start=8)), accepted=1),
            Post(9.1, "prom", group(resolved(start=0, end=4)), accepted=1),
            Post(9.2, "prom", group(resolved(start=0, end=4)), ignored=1),
            Post(12, "prom", group(resolved(start=8, end=11)), accepted=1),
        ),
        ("firing", "firing", "resolved", "resolved"), 2, ("refired", "resolved"),
    ),
    Story(
        "an end without a beginning",
        (
            Post(0, "prom", group(resolved(start=-5, end=-1)), accepted=1),
            Post(0.1, "prom", group(resolved(start=-5, end=-1)), ignored=1),
            Post(1, "other", check("up"), accepted=1),
            Post(2, "other", check("up"), ignored=1),
            Post(3, "other", check("down"), accepted=1),
            Post(4, "other", check("up"), accepted=1),
        ),
        ("resolved", "resolved", "firing", "resolved"), 1, ("resolved",),
    ),
    Story(
        "beginning and end in one body",
        (Post(5, "prom", group(firing(), resolved(end=4)), accepted=2),),
        ("firing", "resolved"), 1, ("resolved",),
    ),
    Story(
        "the same alert twice in one body",
        (Post(0, "other", [check("down"), check("down"), check("up"), check("up")], accepted=2, ignored=2),),
        ("firing", "resolved"), 1, ("resolved",),
    ),
    Story(
        "a group of which one part is over",
        (
            Post(0, "prom", group(firing("A"), firing("B")), accepted=2),
            Post(2, "prom", group(resolved("A"), firing("B")), accepted=1, ignored=1),
            Post(4, "prom", group(resolved("A"), resolved("B", end=3), status="resolved"), accepted=1, ignored=1),
        ),
        ("firing", "firing", "resolved", "resolved"), 2, ("resolved", "resolved"),
    ),
    Story(
        "it grows worse and better again",
        (
            Post(0, "prom", group(firing(severity="warning")), accepted=1),
            Post(1, "prom", group(firing(severity="critical")), accepted=1),
            Post(1.1, "prom", group(firing(severity="critical")), ignored=1),
            Post(2, "prom", group(firing(severity="warning")), accepted=1),
            Post(3, "prom", group(firing(severity="critical")), accepted=1),
            Post(5, "prom", group(resolved(end=4)), accepted=1),
        ),
        ("firing", "firing", "firing", "firing", "resolved"), 1, ("resolved",),
    ),
    Story(
        "a series that is lost, and then a real end",
        (
            Post(0, "graf", group(firing()), accepted=1),
            Post(2, "graf", group(resolved() | {"annotations": {"grafana_state_reason": "MissingSeries"}}), accepted=1),
            Post(3, "graf", group(resolved() | {"annotations": {"grafana_state_reason": "MissingSeries"}}), ignored=1),
            Post(5, "graf", group(resolved(end=4)), accepted=1),
        ),
        ("firing", "resolved", "resolved"), 1, ("resolved",),
    ),
    Story(
        "somebody tries the connection",
        (
            Post(0, "other", check("down") | {"test": True}, accepted=1),
            Post(0.1, "other", check("down") | {"test": True}, ignored=1),
            Post(1, "other", check("down"), accepted=1),
        ),
        ("firing", "firing"), 1,
    ),
    Story(
        "nothing that concerns an alert",
        (
            Post(0, "prom", group(), ignored=1),
            Post(1, "other", check("acknowledged"), ignored=1),
            Post(2, "ping", {"check_id": 1, "current_state": "PAUSED"}, ignored=1),
        ),
        (), 0,
    ),
    Story(
        "one part of a body is botched",
        (
            Post(0, "prom", group(firing("A"), {"labels": 3}, firing("B")), accepted=2, deadlettered=1),
            Post(1, "prom", group(firing("A"), {"labels": 3}, firing("B")), ignored=2, deadlettered=1),
        ),
        ("firing", "firing"), 2,
    ),
)  # fmt: skip


async def post(client: httpx.AsyncClient, source: str, body: Any) -> httpx.Response:
    return await client.post(f"/ingest/acme/{source}", json=body, headers=bearer(token_of(source)))


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
async def test_a_sender(station: Station, client: httpx.AsyncClient, story: Story) -> None:
    named = []
    for sent in story.posts:
        station.now = at(sent.when)
        answer = await post(client, sent.source, sent.body)
        assert answer.status_code == 202
        said = answer.json()
        assert {key: said[key] for key in ("accepted", "ignored", "deadlettered")} == {
            "accepted": sent.accepted,
            "ignored": sent.ignored,
            "deadlettered": sent.deadlettered,
        }
        named += said["events"]
    station.backend.settle()
    assert tuple(alert.status.value for alert in station.of(AlertReceived)) == story.alerts
    assert len(station.of(EpisodeOpened)) == story.opened
    assert tuple(closed.reason for closed in station.of(EpisodeClosed)) == story.closed
    on_log = {event.id for event in station.events()}
    assert set(named) <= on_log


async def test_a_whole_retry_of_everything_appends_nothing(station: Station, client: httpx.AsyncClient) -> None:
    for story in STORIES:
        for sent in story.posts:
            station.now = at(sent.when)
            await post(client, sent.source, sent.body)
    before = len(station.events())
    for sent in STORIES[-1].posts:
        await post(client, sent.source, sent.body)
    assert len(station.events()) == before


# --- what happened when -----------------------------------------------------------------------------


async def test_an_alert_happened_when_its_monitor_says(station: Station, client: httpx.AsyncClient) -> None:
    station.now = at(5)
    await post(client, "prom", group(firing(start=0, severity="warning")))
    station.now = at(6)
    await post(client, "prom", group(firing(start=0, severity="critical")))
    station.now = at(9)
    await post(client, "prom", group(resolved(start=0, end=8)))
    received = [event for event in station.events() if isinstance(event.data, AlertReceived)]
    # A worse severity is as old as the message that tells of it, not as the alert.
    assert [event.occurred_at for event in received] == [at(0), at(6), at(8)]
    assert [event.recorded_at for event in received] == [at(5), at(6), at(9)]
    assert len({event.data.episode for event in received if isinstance(event.data, AlertReceived)}) == 1


# --- leases: Prometheus repeats each minute, and says nothing when it dies ----------------------------


async def prometheus(client: httpx.AsyncClient, start: float, until: float) -> None:
    labels = {"alertname": "ApiErrors", "service": "api", "region": "eu", "severity": "critical"}
    body = [{"labels": labels, "annotations": {"value": str(until)}, "startsAt": iso(start), "endsAt": iso(until)}]
    answer = await client.post("/ingest/acme/prom/api/v2/alerts", json=body, headers=bearer(token_of("prom")))
    assert answer.status_code == 200


async def test_a_lease_is_renewed_once_per_half_of_it(station: Station, client: httpx.AsyncClient) -> None:
    for minute in range(11):
        station.now = at(minute)
        await prometheus(client, 0, minute + 4)
    assert len(station.of(AlertReceived)) == 1
    moved = [refreshed.expires_at for refreshed in station.of(AlertRefreshed)]
    assert moved == [at(7), at(10), at(13)]
    assert station.incidents() == ["investigating"]


async def test_a_lease_that_runs_out_ends_the_episode_and_a_late_repeat_begins_another(
    station: Station, client: httpx.AsyncClient
) -> None:
    await prometheus(client, 0, 4)
    station.now = at(5)
    station.backend.log.nudge()
    assert station.incidents() == ["resolved"]
    assert [closed.reason for closed in station.of(EpisodeClosed)] == ["expired"]
    station.now = at(30)
    await prometheus(client, 0, 34)
    await prometheus(client, 0, 34)
    assert station.incidents() == ["resolved", "investigating"]
    assert len(station.of(AlertReceived)) == 2


async def test_prometheus_resolves_for_fifteen_minutes(station: Station, client: httpx.AsyncClient) -> None:
    await prometheus(client, 0, 4)
    for minute in range(3, 18):
        station.now = at(minute)
        await prometheus(client, 0, 2)
    assert [alert[1] for alert in station.alerts()] == ["firing", "resolved"]
    assert station.incidents() == ["resolved"]


# --- at the same time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [group(firing()), [check("down")]], ids=["with a start", "without a start"])
async def test_the_same_body_from_twenty_at_once_is_one_alert(station: Station, body: Any) -> None:
    source = "prom" if isinstance(body, dict) else "other"
    ticks = itertools.count(NOON)
    async with client_of(station.intake(clock=lambda: next(ticks))) as client:
        answers = await asyncio.gather(*(post(client, source, body) for _ in range(20)))
    counts = [answer.json() for answer in answers]
    assert sorted(count["accepted"] for count in counts) == [0] * 19 + [1]
    assert len(station.of(AlertReceived)) == 1
    assert len(station.of(EpisodeOpened)) == 1


async def test_beginnings_and_ends_at_once_keep_their_order(station: Station, client: httpx.AsyncClient) -> None:
    posts = [group(firing()), group(resolved(end=1)), group(firing()), group(resolved(end=1))]
    station.now = at(2)
    await asyncio.gather(*(post(client, "prom", body) for body in posts))
    assert station.alerts() == [("apierrors", "firing"), ("apierrors", "resolved")]
    assert station.incidents() == ["resolved"]


async def test_a_customer_is_told_once_however_often_the_alert_comes(
    station: Station, client: httpx.AsyncClient
) -> None:
    for minute in range(5):
        station.now = at(minute)
        await asyncio.gather(*(post(client, "prom", group(firing())) for _ in range(3)))
    assert len(station.of(IncidentOpened)) == 1

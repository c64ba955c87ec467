from typing import Any

import httpx
import pytest

from schemas.events import DraftDismissed, IncidentOpened, MaintenanceScheduled, MaintenanceUpdated
from schemas.vocabulary import MaintenanceStatus
from tests.unit.commands.office import API, GUEST, LEAD, OPS, Office
from tests.unit.commands.test_once import MAINTENANCE, draft

URL = f"{API}/maintenances"


async def waiting_draft(office: Office, client: httpx.AsyncClient) -> str:
    await draft(client)
    office.backend.settle()
    view = office.backend.board.view("acme")
    assert view is not None
    [waiting] = view.drafts
    return waiting


async def test_an_approved_draft_goes_out(office: Office, client: httpx.AsyncClient) -> None:
    waiting = await waiting_draft(office, client)
    assert not office.of(IncidentOpened)
    for headers, status in ((GUEST, 403), (OPS, 403), ({}, 401)):
        assert (await client.post(f"{API}/drafts/{waiting}/approve", headers=headers)).status_code == status
    answer = await client.post(f"{API}/drafts/{waiting}/approve", json={}, headers=LEAD)
    assert (answer.status_code, answer.json()["state"]) == (201, "approved")
    assert office.incidents() == ["investigating"]


@pytest.mark.parametrize("body", [None, {}, {"reason": None}, {"reason": "known noise"}])
async def test_a_dismissed_draft_is_gone(
    office: Office, client: httpx.AsyncClient, body: dict[str, Any] | None
) -> None:
    waiting = await waiting_draft(office, client)
    answer = await client.post(f"{API}/drafts/{waiting}/dismiss", json=body, headers=LEAD)
    assert (answer.status_code, answer.json()["state"]) == (201, "dismissed")
    assert [data.reason for data in office.of(DraftDismissed)] == [(body or {}).get("reason") or ""]
    assert (await client.post(f"{API}/drafts/{waiting}/approve", headers=LEAD)).status_code == 409
    assert office.incidents() == []


async def test_a_draft_that_went_meanwhile_is_a_409(office: Office, client: httpx.AsyncClient) -> None:
    waiting = await waiting_draft(office, client)
    view = office.backend.board.view("acme")

    class Behind:
        pages = office.backend.board.pages
        verdict = office.backend.board.verdict

        @staticmethod
        def view(page: str) -> object:
            return view

    await client.post(f"{API}/drafts/{waiting}/dismiss", headers=LEAD)
    async with office.desk(views=Behind()) as late:
        answer = await late.post(f"{API}/drafts/{waiting}/approve", headers=LEAD)
    assert (answer.status_code, answer.json()["detail"]) == (409, "No such draft is waiting.")


async def scheduled(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post(URL, json=MAINTENANCE | changes, headers=OPS)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_maintenance_from_its_announcement_to_its_end(office: Office, client: httpx.AsyncClient) -> None:
    one = await scheduled(client)
    [data] = office.of(MaintenanceScheduled)
    assert [effect.cell.key for effect in data.affects] == ["payments/eu", "payments/us"]
    steps: tuple[tuple[str, dict[str, Any] | None, str], ...] = (
        ("updates", {"body": "It will take place."}, "scheduled"),
        ("start", None, "in_progress"),
        ("updates", {"body": "Half is done."}, "in_progress"),
        ("updates", {"body": "We are checking.", "status": "verifying"}, "verifying"),
        ("complete", {"body": "All is well."}, "completed"),
    )
    for path, body, status in steps:
        answer = await client.post(f"{URL}/{one}/{path}", json=body, headers=OPS)
        assert (answer.status_code, answer.json()["status"]) == (201, status)
    said = [(update.status, update.body) for update in office.of(MaintenanceUpdated)]
    assert said[1] == (MaintenanceStatus.IN_PROGRESS, "The maintenance has begun.")
    assert said[-1] == (MaintenanceStatus.COMPLETED, "All is well.")
    for path in ("start", "complete"):
        answer = await client.post(f"{URL}/{one}/{path}", headers=OPS)
        assert (answer.status_code, answer.json()["detail"]) == (409, "The maintenance is completed.")


async def test_a_maintenance_never_goes_back(client: httpx.AsyncClient) -> None:
    one = await scheduled(client)
    await client.post(f"{URL}/{one}/updates", json={"body": "x", "status": "verifying"}, headers=OPS)
    answer = await client.post(f"{URL}/{one}/start", headers=OPS)
    assert (answer.status_code, answer.json()["detail"]) == (409, "The maintenance is verifying already.")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": "2026-03-02T00:00:00"}, "starts_at"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"starts_at": 1_772_366_400}, "starts_at"),
        ({"starts_at": None}, "starts_at"),
        ({"starts_at": "1999-12-31T23:59:59Z"}, "starts_at"),
        ({"ends_at": "2100-01-01T00:00:00Z"}, "ends_at"),
        ({"ends_at": "0001-01-01T00:00:00+14:00"}, "ends_at"),
        ({"ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
        ({"ends_at": "2026-03-02T00:00:00Z"}, "ends_at"),
        ({"ends_at": "2026-03-02T02:00:00+03:00"}, "ends_at"),
        ({"affects": None}, "affects"),
        ({"affects": [{"component": "nope"}]}, "affects[0].component"),
        ({"affects": [{"component": "api", "status": "major_outage"}]}, "affects[0].status"),
    ],
)
async def test_what_is_wrong_with_a_maintenance_is_named(
    shared_client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await shared_client.post(URL, json=MAINTENANCE | change, headers=OPS)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])


async def test_offsets_are_understood(office: Office, client: httpx.AsyncClient) -> None:
    answer = await client.post(URL, json=MAINTENANCE | {"starts_at": "2026-03-02T01:00:00.5+01:00"}, headers=OPS)
    assert answer.json()["starts_at"] == "2026-03-02T00:00:00.500Z"


async def test_a_maintenance_that_is_not_there(shared_client: httpx.AsyncClient) -> None:
    for path in ("start", "complete"):
        assert (await shared_client.post(f"{URL}/nothing/{path}", headers=OPS)).status_code == 404
    answer = await shared_client.post(f"{URL}/nothing/updates", json={"body": "x"}, headers=OPS)
    assert answer.status_code == 404

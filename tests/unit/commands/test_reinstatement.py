"""Reinstating suppressed addresses over HTTP: which, by whom, and that the log says who did."""

import pytest

from schemas.events import EndpointReinstated, EndpointSuppressed, Event
from schemas.ids import random_id
from schemas.vocabulary import Suppression
from tests.unit.commands.office import BOSS, GUEST, OPS, Office
from tests.unit.intake.station import PAGE

BASE = f"/api/v1/pages/{PAGE}/subscribers"


async def suppressed(office: Office, kind: Suppression, *, confirmed: bool = True) -> str:
    """Add a subscriber whom a provider calls dead, and return its id."""
    async with office.desk() as client:
        body = {"email": "kim@customer.example", "confirmed": confirmed}
        answer = await client.post(BASE, json=body, headers=OPS)
    key: str = answer.json()["id"]
    data = EndpointSuppressed(key, "550", kind)
    event = Event(random_id(), PAGE, office.now, office.now, "tocsin", None, None, False, data)
    office.backend._append_events([event])
    office.now += 1
    assert office.states()[key] == "suppressed"
    return key


@pytest.mark.parametrize("kind", [Suppression.REFUSED, Suppression.BOUNCED, Suppression.GONE, Suppression.FAILING])
async def test_what_a_provider_said_an_operator_may_overrule(office: Office, kind: Suppression) -> None:
    key = await suppressed(office, kind)
    async with office.desk() as client:
        answer = await client.post(f"{BASE}/{key}/reinstate", json={}, headers=OPS)
        assert (answer.status_code, answer.json()) == (200, {"id": key, "state": "reinstated"})
        assert office.states()[key] == "active"
        again = await client.post(f"{BASE}/{key}/reinstate", json={}, headers=OPS)
        assert (again.status_code, again.json()["detail"]) == (409, "The subscriber is active.")
    [event] = [one for one in office.events() if isinstance(one.data, EndpointReinstated)]
    assert event.actor.startswith("operator:"), "the record says who did it"


async def test_a_complaint_only_if_that_is_said(office: Office) -> None:
    key = await suppressed(office, Suppression.COMPLAINED)
    async with office.desk() as client:
        refused = await client.post(f"{BASE}/{key}/reinstate", json={}, headers=OPS)
        assert refused.status_code == 409
        assert "even_complained" in refused.json()["detail"]
        assert office.states()[key] == "suppressed"
        taken = await client.post(f"{BASE}/{key}/reinstate", json={"even_complained": True}, headers=OPS)
        assert taken.status_code == 200
    assert office.states()[key] == "active"


async def test_who_said_stop_is_brought_back_by_no_operator(office: Office) -> None:
    key = await suppressed(office, Suppression.OPTED_OUT)
    async with office.desk() as client:
        for headers in (OPS, BOSS):
            answer = await client.post(f"{BASE}/{key}/reinstate", json={"even_complained": True}, headers=headers)
            assert answer.status_code == 409
    assert office.states()[key] == "suppressed"


async def test_who_had_not_confirmed_still_has_to(office: Office) -> None:
    key = await suppressed(office, Suppression.BOUNCED, confirmed=False)
    async with office.desk() as client:
        assert (await client.post(f"{BASE}/{key}/reinstate", json={}, headers=OPS)).status_code == 200
    assert office.states()[key] == "pending"


async def test_the_same_command_again_is_one_event(office: Office) -> None:
    key = await suppressed(office, Suppression.BOUNCED)
    headers = OPS | {"Idempotency-Key": "once"}
    async with office.desk() as client:
        answers = [await client.post(f"{BASE}/{key}/reinstate", json={}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len([one for one in office.events() if isinstance(one.data, EndpointReinstated)]) == 1


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("f" * 32, OPS, {}, 404),
        ("nobody", OPS, {}, 404),
        ("f" * 32, GUEST, {}, 403),
        ("f" * 32, {}, {}, 401),
        ("f" * 32, OPS, {"even_complained": "yes"}, 400),
        ("f" * 32, OPS, {"even_complaint": True}, 400),
    ],
)
async def test_what_is_refused(
    office: Office, path: str, headers: dict[str, str], body: dict[str, object], status: int
) -> None:
    async with office.desk() as client:
        assert (await client.post(f"{BASE}/{path}/reinstate", json=body, headers=headers)).status_code == status

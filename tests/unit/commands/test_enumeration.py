"""No public answer says whether an address is known: each is compared byte by byte over every state that an address can be in."""

import re
from typing import Any

import httpx
import pytest

from producers.commands.limits import SignUpLimits
from schemas.events import EndpointSuppressed, Event, SubscriberAdded
from schemas.ids import random_id
from streams.runtime.links import Purpose
from tests.unit.commands.office import API, BOSS, OPS, Office
from tests.unit.intake.station import PAGE

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
STATES = ("nobody", "pending", "active", "paused", "suppressed", "left", "replaced", "erased")
_ID = re.compile(rb"[0-9a-f]{32}")


async def in_state(office: Office, client: httpx.AsyncClient, state: str) -> str:
    """Return an address that is in this state."""
    body: dict[str, Any] = {"email": f"{state:x<10}@example.com"}
    if state == "nobody":
        return str(body["email"])
    confirmed = body | ({} if state == "pending" else {"confirmed": True})
    one = (await client.post(f"{API}/subscribers", json=confirmed, headers=OPS)).json()["id"]
    match state:
        case "paused":
            await client.post(f"/manage/{office.links.token(Purpose.MANAGE, PAGE, one)}/pause")
        case "suppressed":
            gone = EndpointSuppressed(one, "no such mailbox")
            office.backend._append_events(
                [Event(random_id(), PAGE, office.now, office.now, "tocsin", None, None, False, gone)]
            )
        case "left":
            await client.post(f"/unsubscribe/{office.links.token(Purpose.UNSUBSCRIBE, PAGE, one)}")
        case "replaced":
            again = (await client.post(f"{API}/subscribers", json=confirmed, headers=OPS)).json()["id"]
            await client.post(f"/unsubscribe/{office.links.token(Purpose.UNSUBSCRIBE, PAGE, again)}")
        case "erased":
            await client.delete(f"{API}/subscribers/{one}", headers=BOSS)
        case _:
            pass
    return str(body["email"])


@pytest.fixture
async def addresses(office: Office, client: httpx.AsyncClient) -> list[str]:
    return [await in_state(office, client, state) for state in STATES]


def seen(answer: httpx.Response) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """Return all of an answer; ids are random, so they say nothing."""
    return answer.status_code, tuple(answer.headers.raw), _ID.sub(b"ID", answer.content)


async def test_sign_ups_are_answered_alike(client: httpx.AsyncClient, addresses: list[str]) -> None:
    as_form = [await client.post("/subscribe", data={"email": email}, headers=BROWSER) for email in addresses]
    as_json = [await client.post(f"{API}/subscribers", json={"email": email}) for email in addresses]
    assert len({seen(answer) for answer in as_form}) == 1
    assert len({seen(answer) for answer in as_json}) == 1
    assert as_form[0].status_code == 303
    assert as_json[0].status_code == 201


async def test_lost_links_are_answered_alike(client: httpx.AsyncClient, addresses: list[str]) -> None:
    answers = [await client.post("/manage", data={"email": email}, headers=BROWSER) for email in addresses]
    assert {seen(answer)[0] for answer in answers} == {303}
    assert len({seen(answer) for answer in answers}) == 1


async def test_each_sign_up_is_stored_in_the_same_way(
    office: Office, client: httpx.AsyncClient, addresses: list[str]
) -> None:
    """So there is no work more or less by which one could be told from another."""
    for email in addresses:
        before = len(office.events())
        await client.post("/subscribe", data={"email": email}, headers=BROWSER)
        added = office.events()[before:]
        assert [type(event.data) for event in added if event.actor.startswith("subscriber:")] == [SubscriberAdded]


async def test_refusals_are_alike(office: Office, addresses: list[str]) -> None:
    limits = SignUpLimits("1000/hour", "1/hour")
    async with office.desk(limits=limits) as client:
        for email in addresses:
            await client.post("/subscribe", data={"email": email}, headers=BROWSER)
        for path in ("/subscribe", "/manage"):
            refused = [await client.post(path, data={"email": email}) for email in addresses]
            assert {answer.status_code for answer in refused} == {429}
            assert len({answer.content for answer in refused}) == 1


async def test_a_page_takes_so_many_and_no_more(office: Office) -> None:
    async with office.desk(limits=SignUpLimits("1000/hour", "3/hour", per_page="2/hour")) as client:
        statuses = [
            (await client.post("/subscribe", data={"email": f"{name}@example.com"})).status_code for name in "abc"
        ]
        assert statuses == [303, 303, 429]
        assert (await client.post("/manage", data={"email": "d@example.com"})).status_code == 429
        vouched = {"email": "e@example.com", "confirmed": True}
        assert (await client.post(f"{API}/subscribers", json=vouched, headers=OPS)).status_code == 201

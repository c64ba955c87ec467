"""Batches of subscribers: a result for each, nothing twice, nobody brought back, and nothing of an address anywhere."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from producers.commands.addresses import Address
from producers.commands.batch_sign_up import BatchSignUps, Candidate, Fate
from producers.commands.deps import CommandDeps, Door, Standing
from producers.commands.desk import Desk
from schemas.events import AnyEvent, Cell, Filter, SubscriberAdded, SubscriberConfirmed
from schemas.ids import derive
from schemas.vocabulary import Impact, Kind
from streams.runtime.links import Purpose
from tests.unit.commands.office import API, BOSS, GUEST, LEAD, OPS, Office, a_number
from tests.unit.commands.test_unavailable import Full, NoKeys
from tests.unit.intake.station import PAGE

URL = f"{API}/subscribers/batch"
DOORS = {"email": Door(str), "webhook": Door(str), "text": Door(a_number), "room": Door(str, by_operator=True)}
ALL = Filter(None, Impact.NONE, [Kind.INCIDENT, Kind.MAINTENANCE])
SECRET = "whsec_" + "QUJD" * 11
ANN = {"channel": "email", "address": "ann@example.com"}
BOB = {"channel": "email", "address": "bob@example.com"}


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with office.desk(doors=DOORS) as made:
        yield made


async def send(client: httpx.AsyncClient, *subscribers: Any, dry_run: bool = False) -> list[dict[str, Any]]:
    body: dict[str, Any] = {"subscribers": list(subscribers), "dry_run": dry_run}
    answer = await client.post(URL, json=body, headers=OPS)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


async def click(office: Office, client: httpx.AsyncClient, purpose: Purpose, subscriber: str) -> None:
    token = office.links.token(purpose, PAGE, subscriber)
    answer = await client.post(f"/{purpose}/{token}", headers={"Accept": "application/json"})
    assert answer.status_code == 200


async def test_each_is_added_as_it_would_be_alone(office: Office, client: httpx.AsyncClient) -> None:
    cells = [{"component": "api", "region": "eu"}]
    results = await send(
        client,
        ANN | {"confirmed": True, "cells": cells, "min_impact": "major", "kinds": ["incident"]},
        {"email": "Bob@EXAMPLE.com"},
        {"channel": "text", "address": "+49 30 1234"},
        {"webhook": "https://example.com/hook"},
        {"channel": "webhook", "address": "https://example.com/other", "secret": SECRET},
        {"channel": "room", "address": "C0123", "confirmed": True},
    )
    assert statuses(results) == ["added"] * 6
    assert [one["state"] for one in results] == ["active", "pending", "pending", "pending", "pending", "active"]
    assert office.states() == {one["id"]: one["state"] for one in results}
    assert office.addresses() == [
        "ann@example.com", "Bob@example.com", "+49301234", "https://example.com/hook", "https://example.com/other", "C0123",
    ]  # fmt: skip
    added = office.of(SubscriberAdded)
    assert added[0].filter == Filter([Cell("api", "eu")], Impact.MAJOR, [Kind.INCIDENT])
    assert [data.filter for data in added[1:]] == [ALL] * 5
    assert {data.origin for data in added} == {"operator"}
    assert [("secret" in one) for one in results] == [False, False, False, True, False, False]
    kept = office.backend.vault.open(added[4].subscriber, added[4].address)
    assert SECRET.encode() in kept
    assert len({one["id"] for one in results}) == 6


async def test_a_batch_that_comes_again_changes_nothing(office: Office, client: httpx.AsyncClient) -> None:
    hook = {"webhook": "https://example.com/hook"}
    first = await send(client, ANN, BOB | {"confirmed": True}, hook)
    before = len(office.events())
    again = await send(client, ANN, BOB | {"confirmed": True, "min_impact": "major"}, hook)
    assert statuses(again) == ["known"] * 3
    assert [one["id"] for one in again] == [one["id"] for one in first]
    assert all(set(one) == {"status", "id"} for one in again), "no secret is told a second time"
    assert len(office.events()) == before


async def test_an_address_that_stands_twice_in_a_batch_is_added_once(office: Office, client: httpx.AsyncClient) -> None:
    results = await send(client, ANN, {"email": "ann@EXAMPLE.com", "confirmed": True}, BOB)
    assert statuses(results) == ["added", "known", "added"]
    assert results[0]["id"] == results[1]["id"]
    assert list(office.states().values()) == ["pending", "pending"]


async def test_what_is_wrong_is_refused_alone_and_named(office: Office, client: httpx.AsyncClient) -> None:
    wrong: list[tuple[Any, str]] = [
        ({"channel": "email", "address": "ann"}, "address"),
        ({"channel": "smoke", "address": "x"}, "channel"),
        ({"channel": "room", "address": "C0123"}, "confirmed"),
        (ANN | {"cells": [{"component": "nope"}]}, "cells[0].component"),
        (ANN | {"cells": []}, "cells"),
        (ANN | {"kinds": ["reminder"]}, "kinds"),
        (ANN | {"min_impact": "huge"}, "min_impact"),
        (ANN | {"phone": "1"}, "phone"),
        (ANN | {"secret": SECRET}, "secret"),
        ({"webhook": "https://example.com/", "secret": "hunter2"}, "secret"),
        ({"webhook": "https://example.com/", "secret": "whsec_" + "QUJD" * 30}, "secret"),
        ({}, "email"),
    ]
    answer = await client.post(URL, json={"subscribers": [*(one for one, _ in wrong), BOB]}, headers=OPS)
    results = answer.json()["results"]
    assert statuses(results) == ["refused"] * len(wrong) + ["added"]
    assert [one["errors"][0]["field"] for one in results[:-1]] == [field for _, field in wrong]
    assert "ann@" not in answer.text
    assert "hunter2" not in answer.text
    assert office.addresses() == ["bob@example.com"]


async def test_a_channel_that_is_switched_off_is_refused(office: Office) -> None:
    async with office.desk(doors={"email": Door(str)}) as client:
        [result] = await send(client, {"webhook": "https://example.com/hook", "confirmed": True})
    assert result["errors"] == [{"field": "channel", "message": "is not switched on here; there are email"}]


async def test_a_dry_run_says_the_same_and_does_nothing(office: Office, client: httpx.AsyncClient) -> None:
    await send(client, ANN)
    before = len(office.events()), sorted(office.backend.vault.owners())
    batch = [ANN, BOB | {"confirmed": True}, BOB, {"email": "no"}]
    tried = await send(client, *batch, dry_run=True)
    assert (len(office.events()), sorted(office.backend.vault.owners())) == before
    assert statuses(tried) == ["known", "added", "known", "refused"]
    assert statuses(await send(client, *batch)) == statuses(tried)


async def test_who_left_is_not_brought_back(office: Office, client: httpx.AsyncClient) -> None:
    [ann] = await send(client, ANN | {"confirmed": True})
    await click(office, client, Purpose.UNSUBSCRIBE, ann["id"])
    for confirmed in (True, False):
        assert await send(client, ANN | {"confirmed": confirmed}) == [{"status": "left", "id": ann["id"]}]
    assert office.states() == {ann["id"]: "removed"}
    again = (await client.post(f"{API}/subscribers", json=ANN)).json()["id"]
    assert await send(client, ANN | {"confirmed": True}) == [{"status": "known", "id": again}], "they shall confirm"
    assert office.states()[again] == "pending"


async def test_who_was_erased_is_a_stranger(office: Office, client: httpx.AsyncClient) -> None:
    [ann] = await send(client, ANN | {"confirmed": True})
    assert (await client.delete(f"{API}/subscribers/{ann['id']}", headers=BOSS)).status_code == 200
    [again] = await send(client, ANN | {"confirmed": True})
    assert again["status"] == "added"
    assert office.states() == {ann["id"]: "removed", again["id"]: "active"}


async def test_an_operator_who_vouches_replaces_those_who_never_confirmed(
    office: Office, client: httpx.AsyncClient
) -> None:
    old = [(await client.post(f"{API}/subscribers", json=ANN)).json()["id"] for _ in range(2)]
    [new] = await send(client, ANN | {"confirmed": True})
    assert office.states() == {**dict.fromkeys(old, "removed"), new["id"]: "active"}
    assert statuses(await send(client, ANN | {"confirmed": True})) == ["known"]
    assert statuses(await send(client, ANN)) == ["known"]


async def test_who_confirmed_by_a_link_is_known(office: Office, client: httpx.AsyncClient) -> None:
    [ann] = await send(client, ANN)
    await click(office, client, Purpose.CONFIRM, ann["id"])
    assert await send(client, ANN | {"confirmed": True}) == [{"status": "known", "id": ann["id"]}]
    assert len(office.of(SubscriberConfirmed)) == 1


async def test_a_crash_between_key_and_event_is_made_good(office: Office, client: httpx.AsyncClient) -> None:
    async with office.desk(doors=DOORS, publisher=Full()) as full:
        answer = await full.post(URL, json={"subscribers": [ANN]}, headers=OPS)
        assert answer.status_code == 503
    owners = office.backend.vault.find(f"{PAGE}/email/ann@example.com")
    [ann] = await send(client, ANN)
    assert (ann["status"], [ann["id"]]) == ("added", owners)
    assert office.addresses() == ["ann@example.com"]


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (GUEST, 403), (OPS, 200), (LEAD, 200), (BOSS, 200)])
async def test_who_may(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    answer = await client.post(URL, json={"subscribers": [ANN]}, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "subscribers"), ({"subscribers": []}, "subscribers"), ({"subscribers": [1]}, "subscribers[0]"),
        ({"subscribers": [ANN] * 1001}, "subscribers"), ({"subscribers": [ANN], "dry_run": "yes"}, "dry_run"),
    ],
)  # fmt: skip
async def test_what_is_no_batch_is_refused_whole(
    office: Office, client: httpx.AsyncClient, body: Any, field: str
) -> None:
    answer = await client.post(URL, json=body, headers=OPS)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not office.of(SubscriberAdded)


async def test_a_thousand_at_once(office: Office, client: httpx.AsyncClient) -> None:
    many = [{"email": f"n{number}@example.com", "confirmed": True} for number in range(1_000)]
    assert set(statuses(await send(client, *many))) == {"added"}
    assert len(office.addresses()) == 1_000
    assert set(statuses(await send(client, *many))) == {"known"}


async def test_keys_that_cannot_be_made_are_a_503(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    async with office.desk(doors=DOORS, vault=NoKeys()) as client:
        answer = await client.post(URL, json={"subscribers": [ANN]}, headers=OPS)
    assert answer.status_code == 503
    assert "ann@" not in caplog.text


def test_nothing_of_a_candidate_prints() -> None:
    assert "ann" not in repr(Candidate(Address("email", "ann@example.com"), ALL, confirmed=True, secret="annsecret"))


@pytest.mark.parametrize(
    ("standing", "confirmed", "fate"),
    [
        (Standing.CONFIRMED, True, Fate.KNOWN), (Standing.WAITING, False, Fate.KNOWN), (Standing.WAITING, True, Fate.ADDED),
        (Standing.ENDED, True, Fate.LEFT), (Standing.REPLACED, False, Fate.ADDED), (None, False, Fate.ADDED),
    ],
)  # fmt: skip
async def test_an_engine_that_forgot_the_events_asks_the_fold(
    office: Office, standing: Standing | None, *, confirmed: bool, fate: Fate
) -> None:
    """A fleet remembers events by id for a week; what it then knows is what the fold says."""
    address = Address("email", "ann@example.com")
    owner = derive("subscriber", "old")
    office.backend.vault.create(owner, address.lookup(PAGE))

    def forgotten(_event_id: str) -> AnyEvent | None:
        return None

    deps: CommandDeps = office.deps(find=forgotten, standing=lambda _page, _subscriber: standing)
    sign_ups = BatchSignUps(Desk(deps))
    [settled] = await sign_ups.add(PAGE, "operator:ops", [Candidate(address, ALL, confirmed)], dry_run=True)
    assert settled.fate is fate
    assert (settled.subscriber == owner) == (fate is not Fate.ADDED or standing is None)
    assert settled.replaces == ((owner,) if standing is Standing.WAITING and confirmed else ())

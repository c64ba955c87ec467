"""For whom something is: said or told from what it affects, and never the public where something internal is named."""

from typing import Any

import httpx
import pytest

from schemas.events import AudienceAssigned, ComponentDefined, Event, IncidentOpened, SubscriberAdded, SubscriberChanged
from schemas.ids import random_id
from schemas.vocabulary import Audience
from streams.runtime.links import Purpose
from tests.unit.commands.office import API, GUEST, OPENING, OPS, Office
from tests.unit.intake.station import NOON, PAGE

PUBLIC, INTERNAL = Audience.PUBLIC, Audience.INTERNAL
URL = f"{API}/subscribers"
ANN: dict[str, Any] = {"email": "ann@example.com"}
DOWN = "major_outage"


@pytest.fixture
def guarded(office: Office) -> Office:
    """An office with an internal component."""
    ledger = ComponentDefined("ledger", "Ledger", None, 9, [], None, False, "", INTERNAL)
    office.backend._append_events([Event(random_id(), PAGE, NOON, NOON, "config", None, None, False, ledger)])
    office.backend.settle()
    return office


def on(*components: str) -> list[dict[str, str]]:
    return [{"component": one, "status": DOWN} for one in components]


async def opening(client: httpx.AsyncClient, **said: Any) -> httpx.Response:
    return await client.post(f"{API}/incidents", json=OPENING | said, headers=OPS)


@pytest.mark.parametrize(
    ("affects", "said", "audience"),
    [
        (on("login"), None, "public"),
        (on("ledger"), None, "internal"),
        (on("login", "ledger"), "internal", "internal"),
        (on("login"), "internal", "internal"),
        ([], "internal", "internal"),
        ([], None, "public"),
    ],
)
async def test_whom_an_incident_is_for(
    guarded: Office, client: httpx.AsyncClient, affects: Any, said: str | None, audience: str
) -> None:
    answer = await opening(client, affects=affects, audience=said)
    assert (answer.status_code, answer.json()["audience"]) == (201, audience)
    [data] = guarded.of(IncidentOpened)
    assert data.audience == audience


@pytest.mark.parametrize("said", [None, "public"])
async def test_the_public_is_told_of_nothing_internal(
    guarded: Office, client: httpx.AsyncClient, said: str | None
) -> None:
    answer = await opening(client, affects=on("login", "ledger"), audience=said)
    assert (answer.status_code, answer.json()["field"]) == (400, "affects")
    assert answer.json()["detail"] == ("affects: ledger is internal: leave it out, or tell an internal audience alone")
    assert guarded.of(IncidentOpened) == []


async def test_an_update_of_a_public_incident_names_nothing_internal_and_one_of_an_internal_may(
    guarded: Office, client: httpx.AsyncClient
) -> None:
    for audience, status in (("public", 400), ("internal", 201)):
        incident = (await opening(client, affects=on("login"), audience=audience)).json()["id"]
        body = {"body": "More.", "status": "identified", "affects": on("ledger")}
        answer = await client.post(f"{API}/incidents/{incident}/updates", json=body, headers=OPS)
        assert answer.status_code == status, audience


async def test_a_maintenance_likewise(guarded: Office, client: httpx.AsyncClient) -> None:
    body = {"title": "Work", "body": "We work.", "starts_at": "2026-03-02T12:00:00Z", "ends_at": "2026-03-02T13:00:00Z"}

    async def schedule(**said: Any) -> httpx.Response:
        return await client.post(f"{API}/maintenances", json=body | said, headers=OPS)

    assert (await schedule(affects=[{"component": "ledger"}])).json()["audience"] == "internal"
    assert (await schedule(affects=[{"component": "login"}])).json()["audience"] == "public"
    refused = await schedule(affects=[{"component": "login"}, {"component": "ledger"}])
    assert (refused.status_code, refused.json()["field"]) == (400, "affects")


async def test_only_operators_say_that_somebody_is_internal(guarded: Office, client: httpx.AsyncClient) -> None:
    said = ANN | {"audience": "internal"}
    assert (await client.post(URL, json=said)).status_code == 401
    assert (await client.post(URL, json=said, headers=GUEST)).status_code == 403
    await client.post("/subscribe", data={"email": "ann@example.com", "audience": "internal"})
    [data] = guarded.of(SubscriberAdded)
    assert data.audience is PUBLIC
    assert (await client.post(URL, json=said, headers=OPS)).status_code == 201
    assert [data.audience for data in guarded.of(SubscriberAdded)] == [PUBLIC, INTERNAL]


async def test_a_stranger_does_not_learn_what_is_internal_and_an_operator_is_told(
    guarded: Office, client: httpx.AsyncClient
) -> None:
    chose = ANN | {"cells": [{"component": "ledger"}]}
    unknown = await client.post(URL, json=ANN | {"cells": [{"component": "no-such"}]})
    stranger = await client.post(URL, json=chose)
    assert (stranger.status_code, stranger.json()) == (400, unknown.json())
    operator = await client.post(URL, json=chose, headers=OPS)
    assert operator.json()["errors"] == [
        {"field": "cells[0].component", "message": "is internal, and the subscriber is not"}
    ]
    assert (await client.post(URL, json=chose | {"audience": "internal"}, headers=OPS)).status_code == 201


async def test_a_batch_may_say_who_is_internal(guarded: Office, client: httpx.AsyncClient) -> None:
    cells = [{"component": "ledger"}]
    people = [
        {"channel": "room", "address": "ops", "confirmed": True, "audience": "internal", "cells": cells},
        {"channel": "room", "address": "dev", "confirmed": True, "cells": cells},
        {"channel": "room", "address": "sup", "confirmed": True, "audience": "staff"},
    ]
    results = (await client.post(f"{URL}/batch", json={"subscribers": people}, headers=OPS)).json()["results"]
    assert [one["status"] for one in results] == ["added", "refused", "refused"]
    assert [one["errors"][0]["field"] for one in results[1:]] == ["cells[0].component", "audience"]
    assert [data.audience for data in guarded.of(SubscriberAdded)] == [INTERNAL]


async def test_nobody_is_internal_where_everybody_reads(guarded: Office, client: httpx.AsyncClient) -> None:
    on_the_wall: dict[str, Any] = {"channel": "wall", "address": "acme", "confirmed": True}
    refusal = "audience: must be public: everybody reads what this channel sends"
    answer = await client.post(URL, json=on_the_wall | {"audience": "internal"}, headers=OPS)
    assert (answer.status_code, answer.json()["detail"]) == (400, refusal)
    batch = {"subscribers": [on_the_wall | {"audience": "internal"}]}
    [result] = (await client.post(f"{URL}/batch", json=batch, headers=OPS)).json()["results"]
    assert (result["status"], result["errors"][0]["field"]) == ("refused", "audience")
    added = await client.post(URL, json=on_the_wall, headers=OPS)
    assert added.status_code == 201
    guarded.backend.settle()
    answer = await client.put(f"{URL}/{added.json()['id']}/audience", json={"audience": "internal"}, headers=OPS)
    assert (answer.status_code, answer.json()["detail"]) == (400, refusal)
    assert guarded.of(AudienceAssigned) == []


async def test_an_operator_assigns(guarded: Office, client: httpx.AsyncClient) -> None:
    key = (await client.post(URL, json=ANN, headers=OPS)).json()["id"]
    url = f"{URL}/{key}/audience"
    answer = await client.put(url, json={"audience": "internal"}, headers=OPS)
    assert (answer.status_code, answer.json()) == (200, {"id": key, "audience": "internal"})
    assert [data.audience for data in guarded.of(AudienceAssigned)] == [INTERNAL]
    guarded.backend.settle()
    known = guarded.backend.subscribers.subscriber(PAGE, key)
    assert known is not None
    assert known.audience is INTERNAL
    assert (await client.put(url, json={"audience": "internal"}, headers=GUEST)).status_code == 403
    assert (await client.put(url, json={"audience": "staff"}, headers=OPS)).json()["field"] == "audience"
    missing = f"{URL}/{random_id()}/audience"
    assert (await client.put(missing, json={"audience": "public"}, headers=OPS)).status_code == 404


async def test_employees_choose_what_is_internal_by_themselves_and_others_cannot(
    guarded: Office, client: httpx.AsyncClient
) -> None:
    form = {"scope": "some", "cells": "ledger", "kinds": "incident", "min_impact": "none"}
    for address, audience, status in (("ann@example.com", "internal", 303), ("ben@example.com", "public", 400)):
        said = {"email": address, "audience": audience, "confirmed": True}
        key = (await client.post(URL, json=said, headers=OPS)).json()["id"]
        guarded.backend.settle()
        token = guarded.links.token(Purpose.MANAGE, PAGE, key)
        answer = await client.post(f"/manage/{token}", data=form, follow_redirects=False)
        assert answer.status_code == status, audience
    assert [data.filter.cells for data in guarded.of(SubscriberChanged)] != []
    guarded.backend.settle()
    known = guarded.backend.subscribers.subscriber(PAGE, guarded.of(SubscriberChanged)[0].subscriber)
    assert known is not None
    assert known.audience is INTERNAL, "choosing takes nothing away"

"""Sign-ups: what strangers learn (nothing), what is kept of them (sealed), and how they come and go."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from producers.commands.deps import Standing
from producers.commands.limits import SignUpLimits
from schemas.events import Cell, Filter, SubscriberAdded, SubscriberConfirmed, SubscriberRemoved
from schemas.vocabulary import Impact, Kind
from streams.keys.vault import ErasedError
from streams.log.port import LogUnavailableError
from streams.runtime.links import Purpose
from tests.unit.commands.office import API, BOSS, GUEST, LEAD, OPS, Office
from tests.unit.intake.station import PAGE, bearer

URL = f"{API}/subscribers"
ANN = {"email": "ann@example.com"}
HOOK = {"webhook": "https://example.com/hook"}


async def sign_up(client: httpx.AsyncClient, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    answer = await client.post(URL, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def click(office: Office, client: httpx.AsyncClient, purpose: Purpose, subscriber: str) -> httpx.Response:
    token = office.links.token(purpose, PAGE, subscriber)
    return await client.post(f"/{purpose}/{token}", headers={"Accept": "application/json"})


async def test_a_stranger_is_pending(office: Office, client: httpx.AsyncClient) -> None:
    said = await sign_up(client, ANN)
    assert said == {"id": said["id"], "state": "pending"}
    [event] = [event for event in office.events() if isinstance(event.data, SubscriberAdded)]
    assert isinstance(event.data, SubscriberAdded)
    assert (event.actor, event.data.origin, event.data.confirmed) == (f"subscriber:{said['id']}", "public", False)
    assert event.data.filter == Filter(None, Impact.NONE, [Kind.INCIDENT, Kind.MAINTENANCE])
    assert office.states() == {said["id"]: "pending"}


async def test_the_address_is_sealed(office: Office, client: httpx.AsyncClient) -> None:
    await sign_up(client, ANN)
    [data] = office.of(SubscriberAdded)
    assert b"ann" not in data.address
    assert b"ann@" not in (office.backend.log.path).read_bytes()
    assert office.addresses() == ["ann@example.com"]


async def test_known_and_unknown_addresses_are_answered_alike(office: Office, client: httpx.AsyncClient) -> None:
    known = await sign_up(client, ANN | {"confirmed": True}, OPS)
    answers = [await client.post(URL, json=body) for body in (ANN, {"email": "eve@example.com"}, ANN)]
    assert len({(answer.status_code, answer.json()["state"], tuple(answer.json())) for answer in answers}) == 1
    assert len({answer.json()["id"] for answer in answers} | {known["id"]}) == 4
    assert sorted(office.states().values()) == ["active", "pending", "pending", "pending"]


async def test_the_choice_is_kept_as_chosen(office: Office, client: httpx.AsyncClient) -> None:
    cells = [
        {"component": "platform"},
        {"component": "payments", "region": "eu"},
        {"component": "login", "region": None},
    ]
    await sign_up(client, ANN | {"cells": cells, "min_impact": "major", "kinds": ["maintenance", "maintenance"]})
    await sign_up(client, ANN | {"cells": None, "min_impact": None, "kinds": None, "webhook": None, "confirmed": None})
    first, second = (data.filter for data in office.of(SubscriberAdded))
    chosen = [Cell("platform"), Cell("payments", "eu"), Cell("login")]
    assert first == Filter(chosen, Impact.MAJOR, [Kind.MAINTENANCE])
    assert second == Filter(None, Impact.NONE, [Kind.INCIDENT, Kind.MAINTENANCE])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        (ANN | HOOK, "webhook"),
        ({"email": ""}, "email"),
        ({"email": "ann"}, "email"),
        ({"email": "ann@"}, "email"),
        ({"email": "Ann <ann@example.com>"}, "email"),
        ({"email": "ann@example.com\nBcc: eve@example.com"}, "email"),
        ({"email": "a@b.example, c@d.example"}, "email"),
        ({"email": "x" * 321}, "email"),
        ({"email": 7}, "email"),
        ({"webhook": "ftp://example.com/"}, "webhook"),
        ({"webhook": "https://user:password@example.com/"}, "webhook"),
        ({"webhook": "https:///path"}, "webhook"),
        ({"webhook": "https://exa mple.com/"}, "webhook"),
        ({"webhook": "javascript:alert(1)"}, "webhook"),
        ({"webhook": "http://xn--/"}, "webhook"),
        ({"webhook": "http://example.com:99999999/"}, "webhook"),
        ({"webhook": "http://[::1"}, "webhook"),
        ({"webhook": "\x00"}, "webhook"),
        (ANN | {"cells": []}, "cells"),
        (ANN | {"cells": {}}, "cells"),
        (ANN | {"cells": [{"component": "nope"}]}, "cells[0].component"),
        (ANN | {"cells": [{"component": "api"}, {"component": "api", "region": "mars"}]}, "cells[1].region"),
        (ANN | {"cells": [{"region": "eu"}]}, "cells[0].component"),
        (ANN | {"kinds": []}, "kinds"),
        (ANN | {"kinds": ["reminder"]}, "kinds"),
        (ANN | {"kinds": ["news"]}, "kinds[0]"),
        (ANN | {"min_impact": "huge"}, "min_impact"),
        (ANN | {"confirmed": "yes"}, "confirmed"),
        (ANN | {"phone": "1"}, "phone"),
        ({"channel": "text", "address": "030 1234"}, "address"),
        ({"channel": "email", "address": "ann"}, "address"),
        ({"channel": "webhook", "address": "ftp://example.com/"}, "address"),
        ({"channel": "text"}, "address"),
        ({"address": "+49 30 1234"}, "channel"),
        ({"channel": "smoke", "address": "+49 30 1234"}, "channel"),
        (ANN | {"channel": "text", "address": "+49 30 1234"}, "channel"),
        (HOOK | {"address": "+49 30 1234"}, "channel"),
        ({"channel": "room", "address": "C0123"}, "confirmed"),
        ({"channel": "room", "address": "C0123", "confirmed": False}, "confirmed"),
    ],
)
async def test_what_is_wrong_is_named(
    shared_office: Office, shared_client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await shared_client.post(URL, json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
    assert "ann@" not in answer.text
    assert not shared_office.of(SubscriberAdded)


async def test_addresses_have_one_form(office: Office, client: httpx.AsyncClient) -> None:
    await sign_up(client, {"email": " Ann.Lee+status@EXAMPLE.com "})
    await sign_up(client, {"email": "jö@bücher.example"})
    await sign_up(client, {"webhook": "HTTPS://Example.com/a?b=c#d"})
    assert office.addresses() == ["Ann.Lee+status@example.com", "jö@bücher.example", "https://example.com/a?b=c"]


async def test_any_channel_that_is_switched_on_can_be_chosen(office: Office, client: httpx.AsyncClient) -> None:
    for body in ({"channel": "text", "address": " +49 30 1234 "}, {"channel": "email", "address": "ann@EXAMPLE.com"}):
        assert (await sign_up(client, body))["state"] == "pending"
    assert "secret" in await sign_up(client, {"channel": "webhook", "address": "https://example.com/hook"})
    assert [data.channel for data in office.of(SubscriberAdded)] == ["text", "email", "webhook"]
    assert office.addresses() == ["+49301234", "ann@example.com", "https://example.com/hook"]


async def test_where_nobody_can_be_asked_only_an_operator_adds(office: Office, client: httpx.AsyncClient) -> None:
    room = {"channel": "room", "address": "C0123"}
    for headers, confirmed, status in (
        (None, None, 400), (OPS, None, 400), (OPS, False, 400), (None, True, 401), (GUEST, True, 403), (OPS, True, 201),
    ):  # fmt: skip
        answer = await client.post(URL, json=room | {"confirmed": confirmed}, headers=headers)
        assert answer.status_code == status, answer.text
    assert list(office.states().values()) == ["active"]


async def test_a_webhook_learns_its_secret_once(office: Office, client: httpx.AsyncClient) -> None:
    first, second = await sign_up(client, HOOK), await sign_up(client, HOOK)
    assert first["secret"] != second["secret"]
    assert len(base64.b64decode(first["secret"].removeprefix("whsec_"), validate=True)) == 32
    [data, _] = office.of(SubscriberAdded)
    plain = msgspec.json.decode(office.backend.vault.open(data.subscriber, data.address))
    assert plain == {"address": "https://example.com/hook", "secret": first["secret"]}


# --- operators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), (bearer("no"), 401), (GUEST, 403), (OPS, 201), (LEAD, 201), (BOSS, 201)]
)
async def test_who_may_vouch(office: Office, client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    answer = await client.post(URL, json=ANN | {"confirmed": True}, headers=headers)
    assert answer.status_code == status
    assert list(office.states().values()) == (["active"] if status == 201 else [])


async def test_an_operator_who_does_not_vouch_asks_like_anybody(office: Office, client: httpx.AsyncClient) -> None:
    for headers in (OPS, GUEST):
        assert (await sign_up(client, ANN, headers))["state"] == "pending"
    assert (await client.post(URL, json=ANN, headers=bearer("no"))).status_code == 401
    assert [data.origin for data in office.of(SubscriberAdded)] == ["operator", "public"]


async def test_an_operator_replaces_what_was_there(office: Office, client: httpx.AsyncClient) -> None:
    old = [await sign_up(client, ANN), await sign_up(client, ANN | {"confirmed": True}, OPS)]
    other = await sign_up(client, {"email": "bob@example.com"})
    new = await sign_up(client, ANN | {"confirmed": True, "min_impact": "major"}, OPS)
    assert office.states() == {
        old[0]["id"]: "removed", old[1]["id"]: "removed", other["id"]: "pending", new["id"]: "active",
    }  # fmt: skip
    assert {event.actor for event in office.events() if isinstance(event.data, SubscriberRemoved)} == {"operator:ops"}


# --- confirming and leaving ---------------------------------------------------------------------------


async def test_who_confirms_is_active_and_replaces_the_former(office: Office, client: httpx.AsyncClient) -> None:
    old = (await sign_up(client, ANN | {"confirmed": True}, OPS))["id"]
    new = (await sign_up(client, ANN | {"min_impact": "major"}))["id"]
    answer = await click(office, client, Purpose.CONFIRM, new)
    assert (answer.status_code, answer.json()) == (200, {"id": new, "state": "active"})
    assert office.states() == {old: "removed", new: "active"}
    [removed] = office.of(SubscriberRemoved)
    assert (removed.subscriber, removed.reason) == (old, "replaced")


async def test_confirming_again_changes_nothing(office: Office, client: httpx.AsyncClient) -> None:
    one = (await sign_up(client, ANN))["id"]
    for _ in range(3):
        assert (await click(office, client, Purpose.CONFIRM, one)).status_code == 200
    assert len(office.of(SubscriberConfirmed)) == 1


async def test_an_old_link_does_not_replace_its_successor(office: Office, client: httpx.AsyncClient) -> None:
    old, never = [(await sign_up(client, ANN))["id"] for _ in range(2)]
    await click(office, client, Purpose.CONFIRM, old)
    new = (await sign_up(client, ANN))["id"]
    await click(office, client, Purpose.CONFIRM, new)
    for link in (old, never, old):
        assert (await click(office, client, Purpose.CONFIRM, link)).status_code == 410
    assert (await click(office, client, Purpose.CONFIRM, new)).status_code == 200
    assert office.states() == {old: "removed", never: "removed", new: "active"}


async def test_both_links_at_once_leave_one_active(office: Office, client: httpx.AsyncClient) -> None:
    ids = [(await sign_up(client, ANN))["id"] for _ in range(4)]
    await asyncio.gather(*(click(office, client, Purpose.CONFIRM, one) for one in ids))
    assert sorted(office.states().values()) == ["active", "removed", "removed", "removed"]


async def test_who_left_stays_away(office: Office, client: httpx.AsyncClient) -> None:
    one = (await sign_up(client, ANN))["id"]
    for _ in range(2):
        assert (await click(office, client, Purpose.UNSUBSCRIBE, one)).json() == {"id": one, "state": "removed"}
    assert (await click(office, client, Purpose.CONFIRM, one)).status_code == 410
    assert office.states() == {one: "removed"}
    assert [data.reason for data in office.of(SubscriberRemoved)] == ["unsubscribed"]


async def test_a_confirmation_comes_too_late_after_a_week(office: Office, client: httpx.AsyncClient) -> None:
    one = (await sign_up(client, ANN))["id"]
    token = office.links.token(Purpose.CONFIRM, PAGE, one)
    office.now += 8 * 86_400 * 1_000_000
    answer = await client.post(f"/confirm/{token}")
    assert (answer.status_code, answer.json()["title"]) == (410, "No longer valid")
    assert office.states() == {one: "pending"}


# --- erasing ------------------------------------------------------------------------------------------


async def test_erasing_a_person_erases_every_copy(office: Office, client: httpx.AsyncClient) -> None:
    old = (await sign_up(client, ANN))["id"]
    one = (await sign_up(client, ANN | {"confirmed": True}, OPS))["id"]
    other = (await sign_up(client, {"email": "bob@example.com"}))["id"]
    for headers, status in (({}, 401), (LEAD, 403), (BOSS, 200), (BOSS, 404)):
        assert (await client.delete(f"{URL}/{one}", headers=headers)).status_code == status
    assert office.states() == {old: "removed", one: "removed", other: "pending"}
    for data in office.of(SubscriberAdded)[:2]:
        with pytest.raises(ErasedError):
            office.backend.vault.open(data.subscriber, data.address)
    assert (await click(office, client, Purpose.CONFIRM, one)).status_code == 410
    assert not office.backend.vault.find(f"{PAGE}/email/ann@example.com")


async def test_after_an_erasure_no_file_holds_address_or_key_and_the_log_says_who_did_it(
    office: Office, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """The proof: an event with the operator's name, no key, and nothing on the disk that is the address or opens it."""

    def on_disk(wanted: bytes) -> list[str]:
        return [path.name for path in tmp_path.rglob("*") if path.is_file() and wanted in path.read_bytes()]

    one = (await sign_up(client, ANN | {"confirmed": True}, OPS))["id"]
    kept = office.backend.vault._store.get(one)
    assert kept is not None
    assert kept.lookup is not None
    assert on_disk(kept.wrapped)
    assert on_disk(kept.lookup)
    assert on_disk(one.encode())
    assert (await client.delete(f"{URL}/{one}", headers=BOSS)).status_code == 200
    office.backend.settle()
    assert (on_disk(kept.wrapped), on_disk(kept.lookup), on_disk(ANN["email"].encode())) == ([], [], [])
    [proof] = [each for each in office.events() if isinstance(each.data, SubscriberRemoved)]
    assert (proof.data, proof.actor) == (SubscriberRemoved(one, "erased"), "operator:boss")


@pytest.mark.parametrize("name", ["tocsin", "deadletter:x", "0" * 32, "'; drop table keys; --"])
async def test_only_subscribers_can_be_erased(office: Office, client: httpx.AsyncClient, name: str) -> None:
    before = set(office.backend.vault.owners())
    assert (await client.delete(f"{URL}/{name}", headers=BOSS)).status_code == 404
    assert set(office.backend.vault.owners()) == before


# --- how often ----------------------------------------------------------------------------------------


async def test_an_address_is_asked_so_often_and_no_more(office: Office) -> None:
    async with office.desk(limits=SignUpLimits("100/hour", "3/hour")) as client:
        await sign_up(client, {"email": "known@example.com", "confirmed": True}, OPS)
        for body in (ANN, {"email": "known@example.com"}):
            for _ in range(3):
                await sign_up(client, body)
            answer = await client.post(URL, json=body)
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 3600
        await sign_up(client, ANN | {"confirmed": True}, OPS)


async def test_a_client_asks_so_often_and_no_more(office: Office) -> None:
    async with office.desk(limits=SignUpLimits("2/hour", "3/hour")) as client:
        statuses = []
        for name in "abcd":
            statuses.append((await client.post(URL, json={"email": f"{name}@example.com"})).status_code)
            assert (await client.post(URL, json={"email": "not one"})).status_code == 400, (
                "what is wrong does not count"
            )
    assert statuses == [201, 201, 429, 429]


def test_a_network_of_ipv6_is_one_client() -> None:
    from streams.runtime.problems import ProblemError

    limits = SignUpLimits("1/hour", "10/hour")
    limits.require("2001:db8::1", "a")
    limits.require("2001:db8:0:1::1", "a")
    limits.require("unix socket", "a")
    with pytest.raises(ProblemError):
        limits.require("2001:db8::2", "a")


# --- a fleet forgets ids after some days; its fold does not --------------------------------------------


@pytest.mark.parametrize(
    ("standing", "status"),
    [
        (Standing.ENDED, 410), (Standing.REPLACED, 410), (Standing.CONFIRMED, 200), (Standing.WAITING, 200), (None, 200),
    ],
)  # fmt: skip
async def test_what_the_fold_knows_decides_where_ids_are_forgotten(
    office: Office, standing: Standing | None, status: int
) -> None:
    asked: list[tuple[str, str]] = []

    def fold(page: str, subscriber: str) -> Standing | None:
        asked.append((page, subscriber))
        return standing

    async with office.desk(find=lambda _id: None, standing=fold) as client:
        subscriber = (await sign_up(client, ANN))["id"]
        answer = await click(office, client, Purpose.CONFIRM, subscriber)
    assert answer.status_code == status
    assert asked == [(PAGE, subscriber)]
    confirmed = standing in (None, Standing.WAITING)
    assert office.states()[subscriber] == ("active" if confirmed else "pending")


async def test_without_the_fold_nobody_is_confirmed(office: Office) -> None:
    def away(_page: str, _subscriber: str) -> Standing | None:
        raise LogUnavailableError("away")

    async with office.desk(standing=away) as client:
        subscriber = (await sign_up(client, ANN))["id"]
        assert (await click(office, client, Purpose.CONFIRM, subscriber)).status_code == 503

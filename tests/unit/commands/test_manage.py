"""The page on which subscribers manage their own subscription: what its buttons do, and what its links are worth."""

from typing import Any

import httpx
import pytest

from producers.commands.deps import Door
from producers.commands.limits import SignUpLimits
from schemas.events import (
    Cell,
    ConfirmationRequested,
    Digest,
    Filter,
    Pace,
    PaceChosen,
    QuietHours,
    SubscriberAdded,
    SubscriberChanged,
    SubscriberPaused,
    SubscriberRemoved,
)
from schemas.vocabulary import DigestEvery, Impact, Kind
from streams.log.port import LogUnavailableError
from streams.runtime.links import Purpose
from tests.unit.commands.office import API, BOSS, OPS, Office
from tests.unit.intake.station import PAGE

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
CHOICE: dict[str, Any] = {
    "scope": "some",
    "cells": ["platform", "payments/eu"],
    "min_impact": "major",
    "kinds": ["incident"],
}
ANN = {"email": "ann@example.com"}


async def subscribed(client: httpx.AsyncClient, body: dict[str, Any] = ANN) -> str:
    answer = await client.post(f"{API}/subscribers", json=body | {"confirmed": True}, headers=OPS)
    return str(answer.json()["id"])


async def press(office: Office, client: httpx.AsyncClient, one: str, what: str = "", **form: Any) -> httpx.Response:
    path = f"/manage/{office.links.token(Purpose.MANAGE, PAGE, one)}{what}"
    return await client.post(path, data=form or {"x": ""}, headers=BROWSER)


async def test_a_choice_is_saved_and_shown_on_a_page_of_its_own(office: Office, client: httpx.AsyncClient) -> None:
    one = await subscribed(client)
    answer = await press(office, client, one, **CHOICE)
    token = office.links.token(Purpose.MANAGE, PAGE, one)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/manage/{token}?done=changed")
    assert answer.headers["cache-control"] == "no-store"
    assert not answer.cookies
    [changed] = office.of(SubscriberChanged)
    wanted = Filter([Cell("platform"), Cell("payments", "eu")], Impact.MAJOR, [Kind.INCIDENT])
    assert changed == SubscriberChanged(one, wanted)
    office.backend.settle()
    known = office.backend.subscribers.subscriber(PAGE, one)
    assert known is not None
    assert known.filter == wanted


async def test_everything_is_everything(office: Office, client: httpx.AsyncClient) -> None:
    one = await subscribed(client)
    await press(office, client, one, **(CHOICE | {"scope": "all"}))
    [changed] = office.of(SubscriberChanged)
    assert changed.filter.cells is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kinds": []}, "kinds"),
        ({"kinds": ["news"]}, "kinds[0]"),
        ({"cells": []}, "cells"),
        ({"cells": ["nope"]}, "cells[0].component"),
        ({"cells": ["api/mars"]}, "cells[0].region"),
        ({"min_impact": "huge"}, "min_impact"),
    ],
)
async def test_what_is_wrong_is_named_and_changes_nothing(
    office: Office, client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    one = await subscribed(client)
    answer = await press(office, client, one, **(CHOICE | change))
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not office.of(SubscriberChanged)


async def test_the_form_of_a_subscription_cannot_move_it_to_another_address(
    office: Office, client: httpx.AsyncClient
) -> None:
    one = await subscribed(client)
    stowaways = {"email": "eve@example.com", "channel": "room", "address": "C0123", "confirmed": "true"}
    assert (await press(office, client, one, **CHOICE, **stowaways)).status_code == 303
    assert office.addresses() == ["ann@example.com"]
    assert list(office.states().values()) == ["active"]


async def test_a_pause_ends_when_its_owner_says_so(office: Office, client: httpx.AsyncClient) -> None:
    one = await subscribed(client)
    for what, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active")):
        answer = await press(office, client, one, f"/{what}")
        assert answer.status_code == 303
        assert answer.headers["location"].endswith(f"?done={what}d")
        assert office.states() == {one: state}
    assert [data.paused for data in office.of(SubscriberPaused)] == [True, True, False]


TIMES: dict[str, Any] = {
    "quiet_from": "22:00", "quiet_to": "07:00", "zone": "Europe/Berlin", "digest": "", "digest_at": "08:00",
    "minimum_gap": "0", "critical_gets_through": "yes",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "pace"),
    [
        ({}, Pace(QuietHours(22 * 60, 7 * 60, "Europe/Berlin"))),
        ({"quiet_from": "", "quiet_to": "", "critical_gets_through": []}, Pace(critical_gets_through=False)),
        ({"quiet_from": "", "quiet_to": "", "minimum_gap": "900"}, Pace(minimum_gap=900)),
        (
            {"quiet_from": "", "quiet_to": "", "digest": "hour"},
            Pace(digest=Digest(DigestEvery.HOUR, 0, "Europe/Berlin")),
        ),
        (
            {"quiet_from": "", "quiet_to": "", "digest": "day"},
            Pace(digest=Digest(DigestEvery.DAY, 480, "Europe/Berlin")),
        ),
    ],
)
async def test_when_and_how_often_is_saved(
    office: Office, client: httpx.AsyncClient, change: dict[str, Any], pace: Pace
) -> None:
    one = await subscribed(client)
    answer = await press(office, client, one, "/pace", **(TIMES | change))
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("?done=changed")
    assert office.of(PaceChosen) == [PaceChosen(one, pace)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quiet_to": ""}, "quiet_hours.to"),
        ({"quiet_from": "25:00"}, "quiet_hours.from"),
        ({"zone": "Europe/Berlni"}, "quiet_hours.zone"),
        ({"quiet_to": "22:00"}, "quiet_hours"),
        ({"digest": "week"}, "digest.every"),
        ({"digest": "day", "digest_at": ""}, "digest.at"),
        ({"minimum_gap": "1"}, "minimum_gap"),
        ({"minimum_gap": "often"}, "minimum_gap"),
    ],
)
async def test_times_that_make_no_sense_are_named(
    office: Office, client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    one = await subscribed(client)
    answer = await press(office, client, one, "/pace", **(TIMES | change))
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not office.of(PaceChosen)


async def test_whoever_paused_counts_as_subscribed(office: Office) -> None:
    async with office.desk(doors={"email": Door(str)}) as client:
        one = await subscribed(client)
        await press(office, client, one, "/pause")
        batch = {"subscribers": [{"channel": "email", "address": "ann@example.com", "confirmed": True}]}
        answer = await client.post(f"{API}/subscribers/batch", json=batch, headers=OPS)
    assert answer.json()["results"][0]["status"] == "known"


@pytest.mark.parametrize("how", ["left", "unsubscribed", "replaced", "erased"])
async def test_the_link_is_worth_nothing_afterwards(office: Office, client: httpx.AsyncClient, how: str) -> None:
    one = await subscribed(client)
    match how:
        case "left":
            answer = await press(office, client, one, "/leave")
            assert (answer.status_code, answer.headers["location"]) == (303, "/unsubscribed")
        case "unsubscribed":
            await client.post(f"/unsubscribe/{office.links.token(Purpose.UNSUBSCRIBE, PAGE, one)}")
        case "replaced":
            await subscribed(client)
        case _:
            assert (await client.delete(f"{API}/subscribers/{one}", headers=BOSS)).status_code == 200
    for what, form in (("", CHOICE), ("/pace", TIMES), ("/pause", {}), ("/resume", {})):
        assert (await press(office, client, one, what, **form)).status_code == 410
    assert not office.of(SubscriberChanged)
    assert not office.of(SubscriberPaused)
    assert office.states()[one] == "removed"


async def test_a_link_is_good_for_its_subscriber_page_and_purpose_only(
    office: Office, client: httpx.AsyncClient
) -> None:
    one = await subscribed(client)
    good = office.links.token(Purpose.MANAGE, PAGE, one)
    elsewhere = office.links.token(Purpose.MANAGE, "x", one)
    leave = office.links.token(Purpose.UNSUBSCRIBE, PAGE, one)
    for token in (elsewhere, leave, good[:-1], good + "A", f"x{good}"):
        for what in ("", "/pace", "/pause", "/resume", "/leave"):
            assert (await client.post(f"/manage/{token}{what}", data=CHOICE)).status_code == 404
    assert (await client.post(f"/unsubscribe/{good}")).status_code == 404
    assert office.states() == {one: "active"}
    assert not office.of(SubscriberChanged)


async def test_following_the_link_changes_nothing(office: Office, client: httpx.AsyncClient) -> None:
    one = await subscribed(client)
    token = office.links.token(Purpose.MANAGE, PAGE, one)
    before = len(office.events())
    for what in ("", "/pace", "/pause", "/resume", "/leave"):
        assert (await client.get(f"/manage/{token}{what}")).status_code == 405
        assert (await client.head(f"/manage/{token}{what}")).status_code == 405
    assert len(office.events()) == before


async def test_changes_are_bounded_for_each_subscriber(office: Office) -> None:
    async with office.desk(limits=SignUpLimits("100/hour", "100/hour", per_subscriber="3/hour")) as client:
        ann, bob = await subscribed(client), await subscribed(client, {"email": "bob@example.com"})
        statuses = [(await press(office, client, ann, "/pause")).status_code for _ in range(4)]
        assert statuses == [303, 303, 303, 429]
        assert (await press(office, client, bob, "/pause")).status_code == 303
        way_out = f"/unsubscribe/{office.links.token(Purpose.UNSUBSCRIBE, PAGE, ann)}"
        assert (await client.post(way_out)).status_code == 303, "the way out is never closed"


# --- whoever lost the link ----------------------------------------------------------------------------


async def ask(client: httpx.AsyncClient, email: str, **more: str) -> httpx.Response:
    return await client.post("/manage", data={"email": email, **more}, headers=BROWSER)


async def test_the_link_goes_to_whom_it_belongs(office: Office, client: httpx.AsyncClient) -> None:
    one = await subscribed(client)
    await client.post(f"{API}/subscribers", json={"email": "bob@example.com"})
    await ask(client, " Ann@EXAMPLE.com".lower())
    [asked] = office.of(ConfirmationRequested)
    assert asked.subscriber == one


async def test_known_and_unknown_addresses_get_the_same_answer_byte_for_byte(
    office: Office, client: httpx.AsyncClient
) -> None:
    await subscribed(client)
    paused = await subscribed(client, {"email": "pia@example.com"})
    await press(office, client, paused, "/pause")
    await client.post(f"{API}/subscribers", json={"email": "pending@example.com"})
    gone = await subscribed(client, {"email": "gone@example.com"})
    await press(office, client, gone, "/leave")
    erased = await subscribed(client, {"email": "erased@example.com"})
    await client.delete(f"{API}/subscribers/{erased}", headers=BOSS)
    names = ("ann", "pia", "pending", "gone", "erased", "nobody")
    answers = [await ask(client, f"{name}@example.com") for name in names]
    assert {(answer.status_code, tuple(answer.headers.raw), answer.content) for answer in answers} == {
        (303, ((b"cache-control", b"no-store"), (b"content-length", b"0"), (b"location", b"/sent")), b"")
    }


async def test_a_store_that_fails_is_not_seen_from_outside(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        async def publish(self, _events: object) -> None:
            raise LogUnavailableError("away")

    async with office.desk() as client:
        await subscribed(client)
    async with office.desk(publisher=Away()) as client:
        known, unknown = await ask(client, "ann@example.com"), await ask(client, "nobody@example.com")
    assert (known.status_code, known.headers) == (unknown.status_code, unknown.headers) == (303, unknown.headers)
    assert "could not be mailed" in caplog.text
    assert "ann@" not in caplog.text


async def test_links_are_mailed_so_often_and_no_more(office: Office) -> None:
    async with office.desk(limits=SignUpLimits("100/hour", "2/hour")) as client:
        await subscribed(client)
        for email in ("ann@example.com", "nobody@example.com"):
            statuses = [(await ask(client, email)).status_code for _ in range(3)]
            assert statuses == [303, 303, 429], "the same for known and unknown addresses"
        assert (await client.post("/subscribe", data=ANN)).status_code == 429, "one mail is as good as another"
    assert len(office.of(ConfirmationRequested)) == 2


async def test_what_is_no_address_is_named_and_a_trap_asks_nobody(office: Office, client: httpx.AsyncClient) -> None:
    await subscribed(client)
    for email in ("", "ann", "x" * 400):
        assert (await ask(client, email)).status_code == 400
    answer = await ask(client, "ann@example.com", website="https://spam.example")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sent")
    assert not office.of(ConfirmationRequested)
    assert [type(data) for data in office.of(SubscriberAdded)] == [SubscriberAdded]
    assert not office.of(SubscriberRemoved)

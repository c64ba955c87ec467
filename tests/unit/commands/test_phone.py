"""A phone number behind a confirmed mail address: who may add one, what a code is worth, and what is counted."""

from contextlib import suppress
from typing import Any

import httpx
import pytest

from producers.commands.deps import Door, Known
from producers.commands.limits import SignUpLimits
from schemas.events import Filter, SubscriberAdded, SubscriberConfirmed
from schemas.vocabulary import Impact, Kind
from streams.runtime.links import CODE_SECONDS, CodeTicket, Purpose
from streams.runtime.problems import ProblemError
from tests.unit.commands.office import API, OPS, Office, a_number
from tests.unit.intake.station import PAGE

ANN = {"email": "ann@example.com", "min_impact": "major", "kinds": ["incident"], "confirmed": True}
NUMBER = "+49 151 12345678"
WANTED = Filter(None, Impact.MAJOR, [Kind.INCIDENT])


def doors(codes_a_day: int = 100) -> dict[str, Door]:
    sms = Door(a_number, by_operator=True, codes_a_day=codes_a_day, country=lambda number: number[:3])
    return {"email": Door(str), "sms": sms}


class Phones:
    """An office whose page takes numbers."""

    def __init__(self, office: Office, client: httpx.AsyncClient) -> None:
        self.office = office
        self.client = client

    async def owner(self, body: dict[str, Any] = ANN) -> str:
        answer = await self.client.post(f"{API}/subscribers", json=body, headers=OPS)
        assert answer.status_code == 201, answer.text
        self.office.backend.settle()
        return str(answer.json()["id"])

    async def ask(self, owner: str, number: str = NUMBER) -> httpx.Response:
        token = self.office.links.token(Purpose.MANAGE, PAGE, owner)
        return await self.client.post(f"/manage/{token}/phone", data={"phone": number})

    async def type_in(self, path: str, code: str) -> httpx.Response:
        return await self.client.post(path, data={"code": code})

    def newest(self) -> str:
        return self.office.of(SubscriberAdded)[-1].subscriber

    def code(self) -> str:
        return self.office.links.code(PAGE, self.newest())


def known_of(office: Office) -> Any:
    def known(page: str, subscriber: str) -> Known | None:
        found = office.backend.subscribers.subscriber(page, subscriber)
        return None if found is None else Known(found.channel, found.state == "active", found.filter)

    return known


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_the_code_that_was_sent_adds_the_number_with_its_owner_s_choice(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        owner = await phones.owner()
        asked = await phones.ask(owner)
        token = office.links.token(Purpose.MANAGE, PAGE, owner)
        assert asked.status_code == 303
        path = asked.headers["location"]
        assert path.startswith(f"/manage/{token}/phone/")
        phone = phones.newest()
        assert office.states() == {owner: "active", phone: "pending"}
        added = office.of(SubscriberAdded)[-1]
        assert (added.channel, added.filter, added.confirmed) == ("sms", WANTED, False)
        code = phones.code()
        assert code not in path
        wrong = await phones.type_in(path, other(code))
        assert (wrong.status_code, wrong.json()["field"]) == (400, "code")
        assert office.states()[phone] == "pending"
        done = await phones.type_in(path, f" {code[:3]} {code[3:]} ")
        own = office.links.token(Purpose.MANAGE, PAGE, phone)
        assert (done.status_code, done.headers["location"]) == (303, f"/manage/{own}?done=added")
        assert office.states() == {owner: "active", phone: "active"}
        assert [data.subscriber for data in office.of(SubscriberConfirmed)] == [phone]


async def test_a_number_that_is_added_anew_replaces_itself_and_is_answered_alike(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        first, second = await phones.owner(), await phones.owner({"email": "bob@example.com", "confirmed": True})
        answers = []
        for owner in (first, second):
            asked = await phones.ask(owner)
            answers.append((asked.status_code, sorted(asked.headers), asked.content))
            assert (await phones.type_in(asked.headers["location"], phones.code())).status_code == 303
        assert answers[0] == answers[1]
        assert sorted(office.states().values()) == ["active", "active", "active", "removed"]


async def test_a_code_is_guessed_five_times_and_no_more(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        path = (await phones.ask(await phones.owner())).headers["location"]
        code = phones.code()
        assert [(await phones.type_in(path, other(code))).status_code for _ in range(6)] == [400] * 5 + [429]
        assert (await phones.type_in(path, code)).status_code == 429
        assert not office.of(SubscriberConfirmed)


async def test_a_code_expires(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        path = (await phones.ask(await phones.owner())).headers["location"]
        office.now += (CODE_SECONDS + 1) * 1_000_000
        assert (await phones.type_in(path, phones.code())).status_code == 410
        assert not office.of(SubscriberConfirmed)


async def test_a_code_is_for_its_asker_only(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        ann, bob = await phones.owner(), await phones.owner({"email": "bob@example.com", "confirmed": True})
        path = (await phones.ask(ann)).headers["location"]
        asked = path.rpartition("/")[2]
        foreign = f"/manage/{office.links.token(Purpose.MANAGE, PAGE, bob)}/phone/"
        elsewhere = office.links.code_token(CodeTicket("x", bob, phones.newest()))
        for token in (asked, asked[:-2], "x", elsewhere, office.links.token(Purpose.CONFIRM, PAGE, phones.newest())):
            assert (await phones.type_in(foreign + token, phones.code())).status_code == 404
        assert not office.of(SubscriberConfirmed)


async def test_a_code_is_worth_nothing_once_its_asker_left(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        owner = await phones.owner()
        path = (await phones.ask(owner)).headers["location"]
        await client.post(f"/unsubscribe/{office.links.token(Purpose.UNSUBSCRIBE, PAGE, owner)}")
        assert (await phones.type_in(path, phones.code())).status_code == 410
        assert (await phones.ask(owner)).status_code == 410


async def test_only_whose_mail_address_is_confirmed_asks(office: Office) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        pending = (await client.post(f"{API}/subscribers", json={"email": "new@example.com"})).json()["id"]
        hook = await phones.owner({"webhook": "https://example.com/hook", "confirmed": True})
        paused = await phones.owner({"email": "pia@example.com", "confirmed": True})
        await client.post(f"/manage/{office.links.token(Purpose.MANAGE, PAGE, paused)}/pause")
        office.backend.settle()
        for one in (pending, hook, paused):
            assert (await phones.ask(one)).status_code == 409
        stranger = {"channel": "sms", "address": NUMBER}
        assert (await client.post(f"{API}/subscribers", json=stranger)).status_code == 400
        assert (await client.post("/subscribe", data=stranger)).status_code == 400
        assert "sms" not in {data.channel for data in office.of(SubscriberAdded)}


@pytest.mark.parametrize("number", ["", "030 1234", "x" * 10_000])
async def test_what_is_no_number_is_named_and_counts_nothing(office: Office, number: str) -> None:
    async with office.desk(doors=doors(), known=known_of(office)) as client:
        phones = Phones(office, client)
        owner = await phones.owner()
        for _ in range(10):
            answer = await phones.ask(owner, number)
            assert (answer.status_code, answer.json()["field"]) == (400, "phone")
        assert (await phones.ask(owner)).status_code == 303


async def test_without_the_channel_or_codes_there_is_no_such_door(office: Office) -> None:
    for without in ({"email": Door(str)}, doors(codes_a_day=0)):
        async with office.desk(doors=without, known=known_of(office)) as client:
            phones = Phones(office, client)
            assert (await phones.ask(await phones.owner())).status_code == 404


# --- how often ----------------------------------------------------------------------------------------


def accepted(limits: SignUpLimits, count: int, **changes: Any) -> int:
    """Return how many of so many codes may be sent, each by another visitor, owner and number but for ``changes``."""
    found = 0
    for rank in range(count):
        asked: dict[str, Any] = {
            "client": f"192.0.2.{rank}", "owner": f"owner-{rank}", "number": f"+49151{rank:04}0000", "country": f"C{rank}",
            "page": "acme", "codes_a_day": 1000,
        }  # fmt: skip
        with suppress(ProblemError):
            limits.require_code(**(asked | {key: value(rank) for key, value in changes.items()}))
            found += 1
    return found


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, 60),
        ({"client": lambda _: "192.0.2.1"}, 5),
        ({"client": lambda rank: f"2001:db8::{rank:x}"}, 5),
        ({"owner": lambda _: "ann"}, 3),
        ({"number": lambda _: "+4915112345678"}, 3),
        ({"number": lambda rank: f"+49151123{rank:04}"}, 10),
        ({"country": lambda _: "DE"}, 50),
        ({"codes_a_day": lambda _: 7}, 7),
    ],
)
def test_codes_are_counted_by_visitor_owner_number_range_country_and_day(changes: dict[str, Any], most: int) -> None:
    assert accepted(SignUpLimits(), 60, **changes) == most


def test_a_refusal_says_when_to_come_back() -> None:
    limits = SignUpLimits()
    for _ in range(5):
        limits.require_try("ann")
    with pytest.raises(ProblemError) as refused:
        limits.require_try("ann")
    assert refused.value.status == 429
    assert 0 < refused.value.retry_after <= 3600

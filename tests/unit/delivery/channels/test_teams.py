"""A webhook of Microsoft's Workflows: which cards it gets, what fits, and how every attempt ends."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.teams import SIZE_LIMIT, TeamsChannel, TeamsSettings, _document
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from tests.fakes.vendors.http import Misbehaviour, Reply, Request, json_reply
from tests.fakes.vendors.matrix import HOOK as ENDS
from tests.fakes.vendors.matrix import try_all
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.teams import HOOK, Teams
from tests.unit.delivery.channels.chats import CONFIRM_URL, CONFIRMATION, LONGEST, MESSAGES, RESOLVED
from tests.unit.delivery.channels.messages import NOTICE, message, notice

OWN = TeamsSettings(allow_hosts=("127.0.0.1",), allow_networks=("127.0.0.0/8",))
OLD = "https://prod-12.westeurope.logic.azure.com/workflows/0a1b/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s3cret"
NEW = "https://default0a1b.09.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/2c/triggers/manual/paths/invoke?api-version=1&sig=s3cret"


@pytest.fixture
def vendor() -> Iterator[VendorServer[Teams]]:
    with VendorServer(Teams()) as running:
        yield running


@asynccontextmanager
async def channel(given: TeamsSettings = OWN, **options: Any) -> AsyncIterator[TeamsChannel]:
    made = TeamsChannel(given, ChannelContext(), **options)
    try:
        yield made
    finally:
        await made.close()


def to(vendor: VendorServer[Teams], about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=vendor.url + HOOK, **changes)


async def send(what: Message) -> Outcome:
    async with channel(timeout=5.0) as teams:
        return await teams.send(what)


async def test_an_incident_arrives_as_a_card(vendor: VendorServer[Teams]) -> None:
    assert await send(to(vendor)) == Sent()
    [card] = vendor.vendor.cards
    assert [block["text"] for block in card["body"]] == [
        "Investigating: API errors in Europe",
        "Some requests fail.\n\n- reads work\n\n- writes do not",
        "API (Europe): major outage\n\nLogin: degraded performance",
        "Next update by 16:00 CET.",
        "Acme Cloud",
    ]
    assert card["body"][0]["color"] == "attention"
    assert {action["title"]: action["url"] for action in card["actions"]} == {
        "Read more on the status page": f"https://status.acme.example/incidents/{NOTICE.subject_id}",
        "Unsubscribe": "https://status.acme.example/unsubscribe/t0ken?list=1&who=k",
    }


async def test_a_drill_the_end_and_a_confirmation_say_what_they_are(vendor: VendorServer[Teams]) -> None:
    await send(to(vendor, drill=True))
    await send(to(vendor, RESOLVED, over=True))
    await send(to(vendor, CONFIRMATION, confirm_url=CONFIRM_URL))
    drill, end, asked = vendor.vendor.cards
    assert drill["body"][0]["text"] == "\\[DRILL\\] Investigating: API errors in Europe"
    assert (end["body"][0]["text"], end["body"][0]["color"]) == ("Happened, and over: API errors in Europe", "good")
    assert asked["actions"] == [{"type": "Action.OpenUrl", "title": "Confirm", "url": CONFIRM_URL}]


@example(LONGEST)
@given(MESSAGES)
@settings(max_examples=40)
def test_whatever_is_told_fits(what: Message) -> None:
    request = Request("POST", HOOK, {"content-type": "application/json"}, _document(what))
    assert len(request.raw) <= SIZE_LIMIT
    assert Teams().complaint(request) is None


def test_a_long_body_uses_the_room_there_is() -> None:
    assert SIZE_LIMIT - 100 < len(_document(message(notice(body="word " * 9_000)))) <= SIZE_LIMIT


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200, {"content-type": "application/json"}, b'{"ours": 1}'), Sent()),
        (Reply(200, {"content-type": "text/html; charset=utf-8"}, b"<html/>"), InDoubt("answered with a web page")),
        (json_reply(401, {"error": {"code": "AuthorizationFailed"}}), Rejected(Scope.RECIPIENT, "answered 401")),
        (
            json_reply(400, {"error": {"code": "WorkflowTriggerIsNotEnabled", "message": "state 'Disabled'"}}),
            Rejected(Scope.RECIPIENT, "answered 400: the flow was deleted or switched off"),
        ),
        (json_reply(400, {"error": {"code": "TriggerInputSchemaMismatch"}}), Rejected(Scope.MESSAGE, "answered 400")),
        (json_reply(404, {"error": {"code": "NotFound"}}), Rejected(Scope.RECIPIENT, "answered 404", gone=True)),
        (json_reply(413, {"error": {"code": "RequestEntityTooLarge"}}), Rejected(Scope.MESSAGE, "answered 413")),
        (
            json_reply(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "30"}),
            Retry("answered 429", timedelta(seconds=30)),
        ),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_what_an_answer_means(vendor: VendorServer[Teams], reply: Misbehaviour, outcome: Outcome) -> None:
    vendor.misbehave(reply)
    assert await send(to(vendor)) == outcome


async def test_every_way_to_fail(vendor: VendorServer[Teams]) -> None:
    # An accepted card has no body that could be cut off.
    async with channel(timeout=0.4) as teams:
        await try_all(teams, to(vendor), vendor, ENDS | {"accepted, body cut": "sent"})


@pytest.mark.parametrize(
    "address",
    [
        OLD.replace("https", "http"), OLD.replace("logic.azure.com", "logic.azure.com.evil.example"), OLD.replace("prod-12.westeurope.", ""),
        "https://evillogic.azure.com/workflows/1", "https://acme.webhook.office.com/webhookb2/1", "https://prod-12.westeurope.logic.azure.com/",
    ],
)  # fmt: skip
async def test_only_workflows_are_taken(address: str) -> None:
    async with channel(TeamsSettings()) as teams:
        with pytest.raises(AddressError) as refused:
            teams.validate(address)
        assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("address", [OLD, NEW])
async def test_addresses_are_canonical_and_secret(address: str) -> None:
    async with channel(TeamsSettings()) as teams:
        assert teams.validate(address.replace(".com/", ".com:443/")) == address
        assert teams.mask(address).startswith("Microsoft Teams: ")
        assert "s3cret" not in teams.mask(address)
        assert "workflows" not in teams.mask(address)

"""Discord's webhook, asked by its own document: what arrives, what fits, and how every attempt ends."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.discord import DiscordChannel, DiscordSettings, _document
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import Outcome, Rejected, Retry, Scope, Sent
from tests.fakes.vendors import discord as vendors_own
from tests.fakes.vendors.discord import HOOK, Discord
from tests.fakes.vendors.http import Misbehaviour, Reply, Request, json_reply
from tests.fakes.vendors.matrix import HOOK as ENDS
from tests.fakes.vendors.matrix import try_all
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.chats import CONFIRM_URL, CONFIRMATION, LONGEST, MESSAGES, RESOLVED
from tests.unit.delivery.channels.messages import NOTICE, message, notice

OWN = DiscordSettings(allow_hosts=("127.0.0.1",), allow_networks=("127.0.0.0/8",))
URL = "https://discord.com/api/webhooks/1234567890/s3cret-token"


@pytest.fixture
def vendor() -> Iterator[VendorServer[Discord]]:
    with VendorServer(Discord()) as running:
        yield running


@asynccontextmanager
async def channel(given: DiscordSettings = OWN, **options: Any) -> AsyncIterator[DiscordChannel]:
    made = DiscordChannel(given, ChannelContext(), **options)
    try:
        yield made
    finally:
        await made.close()


def to(vendor: VendorServer[Discord], about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=vendor.url + HOOK, **changes)


async def send(what: Message) -> Outcome:
    async with channel(timeout=5.0) as discord:
        return await discord.send(what)


async def test_an_incident_arrives_as_an_embed(vendor: VendorServer[Discord]) -> None:
    outcome = await send(to(vendor))
    [(identifier, posted)] = vendor.vendor.messages.items()
    assert outcome == Sent(identifier)
    [embed] = posted["embeds"]
    assert embed["title"] == "Investigating: API errors in Europe"
    assert embed["description"].startswith(
        "Some requests fail.\n\n- reads work\n- writes do not\n\nNext update by 16:00 CET."
    )
    assert embed["url"] == f"https://status.acme.example/incidents/{NOTICE.subject_id}"
    assert "[Unsubscribe](<https://status.acme.example/unsubscribe/t0ken?list=1&who=k>)" in embed["description"]
    assert embed["fields"] == [{"name": "Affected", "value": "API (Europe): major outage\nLogin: degraded performance"}]
    assert posted["allowed_mentions"] == {"parse": []}


async def test_an_url_that_names_a_thread_keeps_it(vendor: VendorServer[Discord]) -> None:
    assert isinstance(await send(message(address=f"{vendor.url}{HOOK}?thread_id=42")), Sent)
    assert vendor.accepted[0].query == {"thread_id": ["42"], "wait": ["true"]}


async def test_a_drill_the_end_and_a_confirmation_say_what_they_are(vendor: VendorServer[Discord]) -> None:
    await send(to(vendor, drill=True))
    await send(to(vendor, RESOLVED, over=True))
    await send(to(vendor, CONFIRMATION, confirm_url=CONFIRM_URL))
    drill, end, asked = (posted["embeds"][0] for posted in vendor.vendor.messages.values())
    assert drill["title"] == "\\[DRILL\\] Investigating: API errors in Europe"
    assert end["title"] == "Happened, and over: API errors in Europe"
    assert asked["description"] == f"[Confirm](<{CONFIRM_URL}>)"
    assert asked["title"] == "Please confirm your subscription to Acme Cloud"


async def test_markup_means_nothing_and_links_stay_whole(vendor: VendorServer[Discord]) -> None:
    await send(to(vendor, notice(title="_a_ @everyone", body="x \\*b\\* <@1> see https://a.example/x_y_z now")))
    [posted] = vendor.vendor.messages.values()
    assert posted["embeds"][0]["title"] == "Investigating: \\_a\\_ @everyone"
    assert posted["embeds"][0]["description"].startswith("x \\*b\\* \\<@1\\> see https://a.example/x_y_z now")


@example(LONGEST)
@given(MESSAGES)
@settings(max_examples=60)
def test_whatever_is_told_fits(what: Message) -> None:
    request = Request("POST", f"{HOOK}?wait=true", {"content-type": "application/json"}, _document(what))
    assert Discord().complaint(request) is None


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (
            json_reply(404, {"message": "Unknown Webhook", "code": 10015}),
            Rejected(Scope.RECIPIENT, "answered 404", gone=True),
        ),
        (
            json_reply(401, {"message": "Invalid Webhook Token", "code": 50027}),
            Rejected(Scope.RECIPIENT, "answered 401"),
        ),
        (json_reply(403, {"message": "Missing Access", "code": 50001}), Rejected(Scope.RECIPIENT, "answered 403")),
        (json_reply(400, {"message": "Invalid Form Body", "code": 50035}), Rejected(Scope.MESSAGE, "answered 400")),
        (
            json_reply(429, {"message": "limited", "retry_after": 0.75, "global": False}, {"Retry-After": "1"}),
            Retry("answered 429", timedelta(seconds=0.75)),
        ),
        (Reply(429, {"Retry-After": "3600"}, b"error code: 1015"), Retry("answered 429", timedelta(hours=1))),
        (
            Reply(403, {"content-type": "text/html"}, b"<html>You are blocked</html>"),
            Rejected(Scope.CHANNEL, "answered 403, and not in Discord's words"),
        ),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_what_an_answer_means(vendor: VendorServer[Discord], reply: Misbehaviour, outcome: Outcome) -> None:
    vendor.misbehave(reply)
    assert await send(to(vendor)) == outcome


async def test_every_way_to_fail(vendor: VendorServer[Discord]) -> None:
    async with channel(timeout=0.4) as discord:
        await try_all(discord, to(vendor), vendor, ENDS)


@pytest.mark.parametrize(
    "address",
    [
        "http://discord.com/api/webhooks/1/a", "https://discord.com:8443/api/webhooks/1/a",
        "https://discord.com.evil.example/api/webhooks/1/a", "https://evil.example/api/webhooks/1/a",
        "https://discord.com/api/webhooks/1", "https://discord.com/api/webhooks/x/a", "https://discord.com/api/webhooks/1/a/slack",
        "https://user:pw@discord.com/api/webhooks/1/a", "discord.com/api/webhooks/1/a", "https://127.0.0.1/api/webhooks/1/a",
    ],
)  # fmt: skip
async def test_only_discords_own_webhooks_are_taken(address: str) -> None:
    async with channel(DiscordSettings()) as discord:
        with pytest.raises(AddressError) as refused:
            discord.validate(address)
        assert "1/a" not in str(refused.value)
        outcome = await discord.send(message(address=address))
        assert isinstance(outcome, Rejected)
        assert outcome.scope is Scope.RECIPIENT


async def test_addresses_are_canonical_and_secret() -> None:
    async with channel(DiscordSettings()) as discord:
        assert (
            discord.validate("https://Discord.com:443/api/v10/webhooks/1/a-B_c#x")
            == "https://discord.com/api/v10/webhooks/1/a-B_c"
        )
        assert discord.mask(URL) == "Discord: discord.com/…"


async def test_nothing_logs_the_url(vendor: VendorServer[Discord], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await send(to(vendor))
    vendor.misbehave(Reply(500))
    outcome = await send(to(vendor))
    assert "s3cret" not in caplog.text + str(outcome)


def test_the_document_is_patched_where_it_says() -> None:
    assert vendors_own.DOCUMENT.complaint(vendors_own.PATCHES[0].proof) is None
    assert Discord().complaint(vendors_own.hook_request({"content": "x" * 2001, "allowed_mentions": {"parse": []}}))

"""Notifications for browsers over real sockets: a browser can read them, and every way to fail."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.webpush import PLAIN_LIMIT, WebPushChannel, WebPushSettings, payload_of
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.outcome import Outcome, Rejected, Scope, Sent
from consumers.delivery.settings import read
from schemas.events import Notice
from schemas.vocabulary import Impact, Kind
from tests.fakes.vendors.http import Reply
from tests.fakes.vendors.matrix import HOOK, try_all, word_of
from tests.fakes.vendors.push import AUTH, PATH, PUBLIC, PushService, decrypted, raw
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import NOTICE, message, notice
from tocsin.faces import offers_of

VAPID = "C1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
GIVEN = {"vapid_private_key": VAPID, "contact": "mailto:status@acme.example"}
SETTINGS = read(WebPushSettings, GIVEN)
OWN = Guard([ip_network("127.0.0.0/8")])


@pytest.fixture
def vendor() -> Iterator[VendorServer[PushService]]:
    with VendorServer(PushService(SETTINGS.application_server_key)) as running:
        running.vendor.origin = running.url
        yield running


@asynccontextmanager
async def channel(settings: WebPushSettings = SETTINGS, **options: Any) -> AsyncIterator[WebPushChannel]:
    context = ChannelContext(now=options.pop("now")) if "now" in options else ChannelContext()
    made = WebPushChannel(settings, context, **({"guard": OWN} | options))
    try:
        yield made
    finally:
        await made.close()


def subscription(endpoint: str, **keys: str) -> str:
    return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": {"p256dh": PUBLIC, "auth": AUTH} | keys})


def to(vendor: VendorServer[PushService], about: Notice = NOTICE, **changes: Any) -> Message:
    return message(about, subscription(vendor.url + PATH), **changes)


async def send(what: Message, **options: Any) -> Outcome:
    async with channel(**options) as push:
        return await push.send(what)


def test_the_browser_behind_the_fake_is_that_of_rfc_8291() -> None:
    body = (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert decrypted(raw(body)) == b"When I grow up, I want to be a watermelon"


async def test_a_browser_reads_the_message(vendor: VendorServer[PushService]) -> None:
    sent = to(vendor, drill=True)
    assert await send(sent) == Sent()
    assert vendor.vendor.shown == [
        {
            "title": "[DRILL] Investigating: API errors in Europe",
            "body": "Some requests fail.\n\n- reads work\n- writes do not\n\nNext update by 16:00 CET.",
            "url": "https://status.acme.example/incidents/1afc982a2c3ac53f5137c91acc6b1f24",
            "tag": sent.notice.subject_id,
            "kind": "incident",
            "status": "investigating",
            "drill": True,
            "published_at": "2026-11-22T14:30:00Z",
            "unsubscribe_url": sent.unsubscribe_url,
        }
    ]
    [request] = vendor.accepted
    assert (request.headers["ttl"], request.headers["urgency"]) == ("86400", "high")
    assert b"API" not in request.raw


async def test_a_newer_message_replaces_an_older_one_that_waits(vendor: VendorServer[PushService]) -> None:
    async with channel() as push:
        for about in (notice(), notice(status="resolved"), notice(subject_id="another")):
            assert await push.send(to(vendor, about)) == Sent()
    assert [shown["status"] for shown in vendor.vendor.waiting.values()] == ["resolved", "investigating"]


@pytest.mark.parametrize(
    ("about", "urgency"),
    [
        (notice(impact=Impact.CRITICAL), "high"),
        (notice(impact=Impact.MINOR), "normal"),
        (notice(kind=Kind.MAINTENANCE, status="scheduled", impact=Impact.MAJOR), "normal"),
    ],
)
async def test_what_wakes_a_phone(vendor: VendorServer[PushService], about: Any, urgency: str) -> None:
    await send(to(vendor, about), settings=read(WebPushSettings, GIVEN | {"ttl": 600}))
    headers = vendor.accepted[0].headers
    assert (headers["urgency"], headers["ttl"]) == (urgency, "600")


async def test_a_confirmation_leads_to_its_link(vendor: VendorServer[PushService]) -> None:
    link = "https://status.acme.example/confirm/t0ken"
    await send(to(vendor, notice(kind=Kind.CONFIRMATION, status="pending"), confirm_url=link))
    [shown] = vendor.vendor.shown
    assert (shown["url"], shown["title"]) == (link, "Please confirm your subscription to Acme Cloud")


async def test_every_way_to_fail(vendor: VendorServer[PushService]) -> None:
    expected = HOOK | {"401": "message", "403": "message", "accepted, body cut": "sent"}
    async with channel(timeout=1.0) as push:
        await try_all(push, to(vendor), vendor, expected)


async def test_only_201_and_202_are_a_push_services_word(vendor: VendorServer[PushService]) -> None:
    for status, word in ((201, "sent"), (202, "sent"), (200, "in doubt"), (204, "in doubt")):
        vendor.misbehave(Reply(status, accepts=True))
        assert word_of(await send(to(vendor))) == word


async def test_a_token_that_is_too_old_is_refused(vendor: VendorServer[PushService]) -> None:
    """The fake looks, so the time in the token is that of the attempt."""
    old = datetime.now(UTC) - timedelta(days=1)
    assert word_of(await send(to(vendor), now=lambda: old)) == "message"
    assert "lives too long, or no more" in vendor.forgive()[0]


async def test_another_key_condemns_only_the_message(vendor: VendorServer[PushService]) -> None:
    other = read(WebPushSettings, GIVEN | {"vapid_private_key": "D" + VAPID[1:]})
    assert word_of(await send(to(vendor), settings=other)) == "message"
    assert "another key" in vendor.forgive()[0]


# --- addresses ---


@pytest.mark.parametrize(
    "endpoint", ["https://127.0.0.1/x", "https://169.254.169.254/x", "https://[::1]/x", "https://10.0.0.1"]
)
async def test_without_leave_no_private_address_is_reached(endpoint: str) -> None:
    async with channel(guard=Guard()) as push:
        with pytest.raises(AddressError):
            push.validate(subscription(endpoint))
        outcome = await push.send(message(address=subscription(endpoint)))
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.RECIPIENT


async def test_a_name_that_leads_inside_is_refused(vendor: VendorServer[PushService]) -> None:
    async def inside(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    sent = message(address=subscription("https://push.example.net/v1/x"))
    assert word_of(await send(sent, guard=Guard(resolver=inside))) == "recipient"
    assert vendor.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://push.example.net/v1/x",
        "{}",
        "[]",
        '{"endpoint":"https://push.example.net/x"}',
        subscription("http://push.example.net/x"),
        subscription("ftp://push.example.net/x"),
        subscription("https://user:pw@push.example.net/x"),
        subscription("https://push.example.net/x", auth="AAAA"),
        subscription("https://push.example.net/x", p256dh="AAAA"),
        subscription("https://push.example.net/x", p256dh="B" + "A" * 86),  # no point of the curve
        subscription("https://push.example.net/x", auth="ä"),
        subscription("https://push.example.net/x", auth="=" * 22),
        "[" * 100_000,
    ],
)
async def test_what_is_no_subscription(address: str) -> None:
    async with channel(guard=Guard()) as push:
        with pytest.raises(AddressError) as refused:
            push.validate(address)
        assert push.mask(address) == "…"
        assert word_of(await push.send(message(address=address))) == "recipient"
    assert "push.example.net" not in str(refused.value)


async def test_one_browser_has_one_address() -> None:
    written = [
        subscription("https://push.example.net/v1/s3cret"),
        subscription("https://PUSH.example.net/v1/s3cret#x", auth=AUTH + "=="),
        json.dumps(json.loads(subscription("https://push.example.net/v1/s3cret")), indent=2),
    ]
    async with channel(guard=Guard()) as push:
        assert len({push.validate(each) for each in written}) == 1
        assert push.validate(push.validate(written[0])) == push.validate(written[0])
        assert push.mask(written[0]) == "push.example.net/…"


# --- what is sent ---

TEXTS = st.text(st.sampled_from('abc "\\\n\x01😀障é') | st.characters(exclude_categories=["Cs"]), max_size=4_000)


@given(title=TEXTS, body=TEXTS)
def test_a_payload_fits_whatever_is_in_it(title: str, body: str) -> None:
    plain = payload_of(message(notice(title=title, body=body)))
    assert len(plain) <= PLAIN_LIMIT
    assert json.loads(plain)["title"]


async def test_links_that_leave_no_room_are_refused(vendor: VendorServer[PushService]) -> None:
    sent = to(vendor, unsubscribe_url="https://status.acme.example/" + "x" * 3_000)
    assert word_of(await send(sent)) == "message"
    assert vendor.requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"vapid_private_key": "AAAA"},
        {"vapid_private_key": "A" * 43},
        {"vapid_private_key": "ä" * 43},
        {"contact": "status@acme.example"},
        {"contact": "https://acme.example/contact"},
        {"ttl": 0},
        {"allow_networks": ["inside"]},
    ],
)
def test_settings_that_cannot_work(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        read(WebPushSettings, GIVEN | changes)
    assert VAPID not in str(refused.value)


def test_the_key_that_browsers_subscribe_with() -> None:
    assert VAPID not in repr(SETTINGS)
    assert len(raw(SETTINGS.application_server_key)) == 65


async def test_the_form_has_a_button_with_the_key_of_the_channel_and_no_field() -> None:
    made = WebPushChannel(SETTINGS, ChannelContext())
    offers = offers_of({"webpush": made})
    await made.close()
    assert offers.browser_key == SETTINGS.application_server_key
    assert (offers.email, offers.webhook, list(offers.others)) == (False, False, [])
    assert offers_of({}).browser_key == ""

"""Telegram's bot: what it writes, what fits, which errors condemn what, and how every attempt ends."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given, settings

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.telegram import TelegramChannel, TelegramSettings, _document
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.settings import Secret, read
from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.matrix import try_all
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.telegram import CHAT, SEND, TOKEN, Telegram, refused
from tests.unit.delivery.channels.chats import CONFIRM_URL, CONFIRMATION, LONGEST, MESSAGES, RESOLVED
from tests.unit.delivery.channels.messages import NOTICE, message


@pytest.fixture
def vendor() -> Iterator[VendorServer[Telegram]]:
    with VendorServer(Telegram()) as running:
        yield running


@asynccontextmanager
async def channel(vendor: VendorServer[Telegram], timeout: float = 5.0) -> AsyncIterator[TelegramChannel]:
    made = TelegramChannel(TelegramSettings(Secret(TOKEN), vendor.url), ChannelContext(), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


def told(about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=str(CHAT), **changes)


async def send(vendor: VendorServer[Telegram], what: Message) -> Outcome:
    async with channel(vendor) as telegram:
        return await telegram.send(what)


async def test_an_incident_arrives_as_text(vendor: VendorServer[Telegram]) -> None:
    assert await send(vendor, told()) == Sent("700")
    assert vendor.vendor.messages[700] == {
        "chat_id": CHAT,
        "text": (
            "Investigating: API errors in Europe\n\nSome requests fail.\n\n- reads work\n- writes do not\n\n"
            f"Next update by 16:00 CET.\n\nhttps://status.acme.example/incidents/{NOTICE.subject_id}\n"
            "Unsubscribe: https://status.acme.example/unsubscribe/t0ken?list=1&who=k"
        ),
        "link_preview_options": {"is_disabled": True},
    }


async def test_updates_reply_to_the_first_message(vendor: VendorServer[Telegram]) -> None:
    assert await send(vendor, told(earlier=("700", "701"))) == Sent("700")
    reply = vendor.vendor.messages[700]["reply_parameters"]
    assert reply == {"message_id": 700, "allow_sending_without_reply": True}


async def test_a_drill_the_end_and_a_confirmation_say_what_they_are(vendor: VendorServer[Telegram]) -> None:
    await send(vendor, told(drill=True))
    await send(vendor, told(RESOLVED, over=True))
    await send(vendor, told(CONFIRMATION, confirm_url=CONFIRM_URL))
    drill, end, asked = (posted["text"] for posted in vendor.vendor.messages.values())
    assert drill.startswith("[DRILL] Investigating: ")
    assert end.startswith("Happened, and over: ")
    assert asked == f"Please confirm your subscription to Acme Cloud\n\n{CONFIRM_URL}"


@example(LONGEST)
@given(MESSAGES)
@settings(max_examples=40)
def test_whatever_is_told_fits(what: Message) -> None:
    request = Request("POST", SEND, {"content-type": "application/json"}, orjson.dumps(_document(what, CHAT)))
    assert Telegram().complaint(request) is None


GONE = Rejected(Scope.RECIPIENT, "answered 403: the bot cannot write to this chat")
NO_CHAT = Rejected(Scope.RECIPIENT, "answered 400: the bot cannot write to this chat")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (refused(401, "Unauthorized"), Rejected(Scope.CHANNEL, "answered 401")),
        (refused(404, "Not Found"), Rejected(Scope.CHANNEL, "answered 404")),
        (refused(403, "Forbidden: bot was blocked by the user"), GONE),
        (refused(403, "Forbidden: user is deactivated"), GONE),
        (refused(403, "Forbidden: bot was kicked from the supergroup chat"), GONE),
        (refused(403, "Forbidden: bot can't initiate conversation with a user"), GONE),
        (refused(400, "Bad Request: chat not found"), NO_CHAT),
        (refused(400, "Bad Request: PEER_ID_INVALID"), NO_CHAT),
        (refused(400, "Bad Request: CHAT_WRITE_FORBIDDEN"), NO_CHAT),
        (refused(400, "Bad Request: have no rights to send a message"), NO_CHAT),
        (refused(400, "Bad Request: not enough rights to send text messages to the chat"), NO_CHAT),
        (refused(400, "Bad Request: message is too long"), Rejected(Scope.MESSAGE, "answered 400")),
        (refused(400, "Bad Request: message text is empty"), Rejected(Scope.MESSAGE, "answered 400")),
        (
            refused(429, "Too Many Requests: retry after 34", retry_after=34),
            Retry("answered 429", timedelta(seconds=34)),
        ),
        (refused(500, "Internal Server Error"), Retry("answered 500")),
        (refused(502, "Bad Gateway"), Retry("answered 502")),
        (Reply(403, {"content-type": "text/html"}, b"<html>blocked</html>"), Rejected(Scope.CHANNEL, "answered 403")),
    ],
    ids=lambda value: value.body.decode()[:80] if isinstance(value, Reply) else "",
)
async def test_what_an_answer_means(vendor: VendorServer[Telegram], reply: Reply, outcome: Outcome) -> None:
    vendor.misbehave(reply)
    assert await send(vendor, told()) == outcome


async def test_a_group_that_became_a_supergroup_is_followed(vendor: VendorServer[Telegram]) -> None:
    vendor.misbehave(
        refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100777)
    )
    assert await send(vendor, told()) == Sent("700")
    assert vendor.vendor.messages[700]["chat_id"] == -100777


async def test_a_group_that_leads_nowhere_is_followed_once(vendor: VendorServer[Telegram]) -> None:
    upgraded = refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100777)
    vendor.misbehave(upgraded, times=None)
    assert await send(vendor, told()) == NO_CHAT
    assert len(vendor.requests) == 2


async def test_every_way_to_fail(vendor: VendorServer[Telegram]) -> None:
    async with channel(vendor, timeout=0.4) as telegram:
        await try_all(telegram, told(), vendor)


async def test_a_success_without_an_id_leaves_doubt(vendor: VendorServer[Telegram]) -> None:
    vendor.misbehave(json_reply(200, {"ok": True, "result": True}))
    outcome = await send(vendor, told())
    assert type(outcome).__name__ == "InDoubt"


@pytest.mark.parametrize(
    ("address", "canonical", "masked"),
    [
        ("-1001234567890", "-1001234567890", "-1…90"),
        ("42424242", "42424242", "42…42"),
        ("@Acme_Status", "@acme_status", "@a…us"),
    ],
)
async def test_addresses(vendor: VendorServer[Telegram], address: str, canonical: str, masked: str) -> None:
    async with channel(vendor) as telegram:
        assert telegram.validate(address) == canonical
        assert telegram.mask(canonical) == masked


@pytest.mark.parametrize("address", ["", "acme", "0", "-", "@abc", "+42", "1" * 17, "4 2", "@acme status", "٤٢"])
async def test_what_is_no_chat_is_refused(vendor: VendorServer[Telegram], address: str) -> None:
    async with channel(vendor) as telegram:
        with pytest.raises(AddressError):
            telegram.validate(address)


@pytest.mark.parametrize(
    "wrong", [{"token": "hunter22"}, {"api": "telegram.org"}, {"api": "https://a.example/?x=1"}, {"api": "http://"}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError) as refusal:
        read(TelegramSettings, {"token": TOKEN} | wrong)
    assert "hunter22" not in str(refusal.value)


async def test_nothing_logs_the_token(vendor: VendorServer[Telegram], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await send(vendor, told())
    vendor.misbehave(refused(403, "Forbidden: bot was blocked by the user"))
    outcome = await send(vendor, told())
    assert TOKEN not in caplog.text + str(outcome)
    assert str(CHAT) not in caplog.text + str(outcome)

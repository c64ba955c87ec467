"""Slack: one incident is one thread of the bot, or one message after another through a webhook; every error and every way to fail."""

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
from consumers.delivery.channels.slack import ERRORS, HOOK_ERRORS, SlackChannel, SlackSettings, _content
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.render.card import card_of
from consumers.delivery.settings import Secret, read
from tests.fakes.vendors.http import Reply, Request, Reset, json_reply
from tests.fakes.vendors.matrix import HOOK as ENDS
from tests.fakes.vendors.matrix import PROVIDER, try_all
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.slack import CHANNEL, HOOK, TOKEN, Slack
from tests.unit.delivery.channels.chats import CONFIRM_URL, CONFIRMATION, LONGEST, MESSAGES, RESOLVED
from tests.unit.delivery.channels.messages import NOTICE, message, notice

FIRST, SECOND = "1795357800.000001", "1795357800.000002"
IDENTIFIED = notice(update="u2", status="identified", body="It is the database.")


@pytest.fixture
def vendor() -> Iterator[VendorServer[Slack]]:
    with VendorServer(Slack()) as running:
        yield running


@asynccontextmanager
async def channel(vendor: VendorServer[Slack], timeout: float = 5.0) -> AsyncIterator[SlackChannel]:
    given = SlackSettings(("127.0.0.1",), ("127.0.0.0/8",), Secret(TOKEN), f"{vendor.url}/api")
    made = SlackChannel(given, ChannelContext(), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


def told(about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=CHANNEL, **changes)


def hooked(vendor: VendorServer[Slack], about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=vendor.url + HOOK, **changes)


async def send(vendor: VendorServer[Slack], *what: Message) -> list[Outcome]:
    async with channel(vendor) as slack:
        return [await slack.send(one) for one in what]


def methods(vendor: VendorServer[Slack]) -> list[str]:
    return [request.target.rpartition("/")[2] for request in vendor.requests]


def headline(content: dict[str, Any]) -> str:
    said: str = content["blocks"][0]["text"]["text"]
    return said


# --- what is told ---


async def test_an_incident_arrives_through_a_webhook(vendor: VendorServer[Slack]) -> None:
    assert await send(vendor, hooked(vendor)) == [Sent()]
    assert vendor.vendor.hooked == [
        {
            "text": "Investigating: API errors in Europe",
            "blocks": [
                {
                    "type": "header",
                    "text": {"type": "plain_text", "text": "Investigating: API errors in Europe", "emoji": False},
                },
                {
                    "type": "section",
                    "text": {"type": "mrkdwn", "text": "Some requests fail.\n\n- reads work\n- writes do not"},
                },
                {
                    "type": "section",
                    "text": {"type": "mrkdwn", "text": "API (Europe): major outage\nLogin: degraded performance"},
                },
                {
                    "type": "context",
                    "elements": [
                        {
                            "type": "mrkdwn",
                            "text": "Next update by 16:00 CET.\n"
                            f"<https://status.acme.example/incidents/{NOTICE.subject_id}|Read more on the status page> · "
                            "<https://status.acme.example/unsubscribe/t0ken?list=1&amp;who=k|Unsubscribe>",
                        }
                    ],
                },
            ],
            "unfurl_links": False,
            "unfurl_media": False,
        }
    ]


async def test_a_drill_the_end_and_a_confirmation_say_what_they_are(vendor: VendorServer[Slack]) -> None:
    asked = hooked(vendor, CONFIRMATION, confirm_url=CONFIRM_URL)
    await send(vendor, hooked(vendor, drill=True), hooked(vendor, RESOLVED, over=True), asked)
    drill, end, question = vendor.vendor.hooked
    assert headline(drill) == "[DRILL] Investigating: API errors in Europe"
    assert headline(end) == "Happened, and over: API errors in Europe"
    assert headline(question) == "Please confirm your subscription to Acme Cloud"
    assert question["blocks"][1]["elements"][0]["text"] == f"<{CONFIRM_URL}|Confirm>"


async def test_nobody_is_mentioned(vendor: VendorServer[Slack]) -> None:
    await send(vendor, hooked(vendor, notice(title="<!channel> & all", body="<@U1> <!here>")))
    [content] = vendor.vendor.hooked
    assert content["text"] == "Investigating: &lt;!channel&gt; &amp; all"
    assert content["blocks"][1]["text"]["text"] == "&lt;@U1&gt; &lt;!here&gt;"
    assert content["blocks"][0]["text"]["type"] == "plain_text"


@example(LONGEST)
@given(MESSAGES)
@settings(max_examples=40)
def test_whatever_is_told_fits(what: Message) -> None:
    raw = orjson.dumps(_content(card_of(what)))
    assert Slack().complaint(Request("POST", HOOK, {"content-type": "application/json"}, raw)) is None


# --- one incident, one thread ---


async def test_an_incident_is_one_message_and_its_end_a_reply_in_its_thread(vendor: VendorServer[Slack]) -> None:
    outcomes = await send(
        vendor,
        told(),
        told(IDENTIFIED, earlier=(FIRST,)),
        told(notice(status="monitoring"), earlier=(FIRST, FIRST)),
        told(RESOLVED, earlier=(FIRST, FIRST, FIRST)),
    )
    assert outcomes == [Sent(FIRST), Sent(FIRST), Sent(FIRST), Sent(SECOND)]
    assert methods(vendor) == ["chat.postMessage", "chat.update", "chat.update", "chat.postMessage", "chat.update"]
    root, end = vendor.vendor.messages[FIRST], vendor.vendor.messages[SECOND]
    assert headline(root) == headline(end) == "Resolved: API errors in Europe"
    assert (end["thread_ts"], end["reply_broadcast"]) == (FIRST, True)


async def test_what_follows_the_end_is_a_reply_too(vendor: VendorServer[Slack]) -> None:
    await send(vendor, told(), told(RESOLVED, earlier=(FIRST,)), told(IDENTIFIED, earlier=(FIRST, SECOND)))
    again = vendor.vendor.messages["1795357800.000003"]
    assert (headline(again), again["thread_ts"]) == ("Identified: API errors in Europe", FIRST)
    assert headline(vendor.vendor.messages[FIRST]) == "Identified: API errors in Europe"


@pytest.mark.parametrize("error", ["message_not_found", "edit_window_closed", "cant_update_message"])
async def test_where_the_first_message_is_lost_the_update_is_a_message_of_its_own(
    vendor: VendorServer[Slack], error: str
) -> None:
    await send(vendor, told())
    vendor.misbehave(json_reply(200, {"ok": False, "error": error}))
    assert await send(vendor, told(IDENTIFIED, earlier=(FIRST,))) == [Sent(SECOND)]
    assert headline(vendor.vendor.messages[SECOND]) == "Identified: API errors in Europe"
    assert "thread_ts" not in vendor.vendor.messages[SECOND]


async def test_a_thread_that_is_lost_does_not_keep_the_end_back(vendor: VendorServer[Slack]) -> None:
    await send(vendor, told())
    vendor.misbehave(json_reply(200, {"ok": False, "error": "thread_not_found"}))
    assert await send(vendor, told(RESOLVED, earlier=(FIRST,))) == [Sent(SECOND)]
    assert "thread_ts" not in vendor.vendor.messages[SECOND]


@pytest.mark.parametrize("ailment", [Reply(500), Reset(), json_reply(200, {"ok": False, "error": "message_not_found"})])
async def test_the_end_is_told_whatever_becomes_of_the_first_message(vendor: VendorServer[Slack], ailment: Any) -> None:
    await send(vendor, told())
    vendor.misbehave(None)
    vendor.misbehave(ailment)
    assert await send(vendor, told(RESOLVED, earlier=(FIRST,))) == [Sent(SECOND)]


# --- how it ends ---


def meant(meaning: Any, reason: str) -> Outcome:
    ended: Outcome = Rejected(meaning, reason) if isinstance(meaning, Scope) else meaning(reason)
    return ended


@pytest.mark.parametrize("code", ERRORS)
async def test_what_the_apis_errors_mean(vendor: VendorServer[Slack], code: str) -> None:
    vendor.misbehave(json_reply(200, {"ok": False, "error": code}))
    assert await send(vendor, told()) == [meant(ERRORS[code], f"answered {code}")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_auth", Scope.CHANNEL), ("account_inactive", Scope.CHANNEL), ("missing_scope", Scope.CHANNEL),
        ("channel_not_found", Scope.RECIPIENT), ("is_archived", Scope.RECIPIENT), ("not_in_channel", Scope.RECIPIENT),
        ("internal_error", InDoubt), ("fatal_error", InDoubt), ("ratelimited", Retry),
    ],
)  # fmt: skip
def test_the_errors_that_matter_most(code: str, kind: Any) -> None:
    assert ERRORS[code] is kind


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (
            json_reply(200, {"ok": False, "error": "msg_blocks_too_long"}),
            Rejected(Scope.MESSAGE, "answered msg_blocks_too_long"),
        ),
        (json_reply(200, {"ok": False, "error": "of_tomorrow"}), Rejected(Scope.MESSAGE, "answered of_tomorrow")),
        (
            json_reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "12"}),
            Retry("answered 429", timedelta(seconds=12)),
        ),
        (json_reply(500, {"ok": False, "error": "internal_error"}), InDoubt("answered internal_error")),
        (json_reply(503, {"ok": False, "error": "service_unavailable"}), Retry("answered 503")),
        (json_reply(200, {"ok": False}), InDoubt("answered, and not in Slack's words")),
    ],
)
async def test_what_the_apis_answers_mean(vendor: VendorServer[Slack], reply: Reply, outcome: Outcome) -> None:
    vendor.misbehave(reply)
    assert await send(vendor, told()) == [outcome]


@pytest.mark.parametrize("code", HOOK_ERRORS)
@pytest.mark.parametrize("status", [400, 403, 404, 410, 500])
async def test_what_a_webhooks_errors_mean(vendor: VendorServer[Slack], code: str, status: int) -> None:
    vendor.misbehave(Reply(status, {"content-type": "text/html"}, code.encode()))
    assert await send(vendor, hooked(vendor)) == [meant(HOOK_ERRORS[code], f"answered {status}: {code}")]


async def test_every_way_to_fail_for_the_bot(vendor: VendorServer[Slack]) -> None:
    async with channel(vendor, timeout=0.4) as slack:
        await try_all(slack, told(), vendor, PROVIDER)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_with_the_token(vendor: VendorServer[Slack], status: int) -> None:
    vendor.misbehave(Reply(status, {"Location": "/elsewhere"}))
    assert await send(vendor, told()) == [Rejected(Scope.CHANNEL, f"answered {status}")]
    assert methods(vendor) == ["chat.postMessage"]


async def test_every_way_to_fail_for_a_webhook(vendor: VendorServer[Slack]) -> None:
    async with channel(vendor, timeout=0.4) as slack:
        await try_all(slack, hooked(vendor), vendor, ENDS)


# --- addresses, settings, secrets ---


async def test_addresses_are_canonical_and_secret(vendor: VendorServer[Slack]) -> None:
    async with channel(vendor) as slack:
        url = "https://hooks.slack.com/services/T1/B1/s3cret"
        assert slack.validate(f"{url.replace('hooks', 'Hooks')}#x") == url
        assert slack.mask(url) == "Slack: hooks.slack.com/…"
        assert slack.validate(CHANNEL) == CHANNEL
        assert slack.mask(CHANNEL) == "Slack: C01…"


@pytest.mark.parametrize(
    "address",
    [
        "", "#status", "U0123456789", "c0123456789", "http://hooks.slack.com/services/T1/B1/s3cret",
        "https://hooks.slack.com/workflows/T1/A1/1/s3cret", "https://evil.example/services/T1/B1/s3cret",
        "https://hooks.slack.com.evil.example/services/T1/B1/s3cret", "https://hooks.slack.com/services/T1/B1",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused(vendor: VendorServer[Slack], address: str) -> None:
    async with channel(vendor) as slack:
        with pytest.raises(AddressError) as refused:
            slack.validate(address)
        assert "s3cret" not in str(refused.value)


async def test_channels_want_a_bot() -> None:
    slack = SlackChannel(SlackSettings(), ChannelContext())
    with pytest.raises(AddressError, match="there is none"):
        slack.validate(CHANNEL)
    assert await slack.send(told()) == Rejected(Scope.MESSAGE, "there is no bot any more that could post to channels")
    await slack.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "hunter22"},
        {"ask_after": 30},
        {"ask_after": 60},
        {"api": "slack.com"},
        {"allow_hosts": ["https://a.example"]},
        {"allow_networks": ["x"]},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refusal:
        read(SlackSettings, wrong)
    assert "hunter22" not in str(refusal.value)


async def test_nothing_logs_secrets(vendor: VendorServer[Slack], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.misbehave(Reply(500))
    outcomes = await send(vendor, told(), told(), hooked(vendor))
    vendor.misbehave(Reset())
    outcomes += await send(vendor, told())
    for secret in (TOKEN, "s3cret", "unsubscribe/t0ken"):
        assert secret not in caplog.text + str(outcomes)

"""What Slack's bot posted and is in doubt: what the channel's history says of it, and when it says nothing."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import Message
from consumers.delivery.channels.slack import SlackChannel, SlackSettings
from consumers.delivery.channels.slack_history import EVENT, SLACK, finding, metadata_of
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import Finding, Retry, Sent, Unknown
from consumers.delivery.settings import Secret
from tests.fakes.vendors.http import Reply, Reset, json_reply
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.slack import BOT, CHANNEL, HISTORY, HOOK, TOKEN, Slack
from tests.unit.delivery.channels.chats import RESOLVED
from tests.unit.delivery.channels.messages import NOTICE, message, notice

IDENTIFIED = notice(update="u2", status="identified", body="It is the database.")
ABSENT = Retry("Slack does not have it")


@pytest.fixture
def vendor() -> Iterator[VendorServer[Slack]]:
    made = Slack()
    made.clock = NOTICE.published_at // 1_000_000 + 1
    with VendorServer(made) as running:
        yield running


@pytest.fixture
async def slack(vendor: VendorServer[Slack]) -> AsyncIterator[SlackChannel]:
    given = SlackSettings(("127.0.0.1",), ("127.0.0.0/8",), Secret(TOKEN), f"{vendor.url}/api", 60)
    made = SlackChannel(given, ChannelContext(), timeout=2.0)
    yield made
    await made.close()


def told(about: Any = NOTICE, number: int = 1, **changes: Any) -> Message:
    return msgspec.structs.replace(message(about, address=CHANNEL, **changes), notification=f"n{number}")


async def ask(slack: SlackChannel, what: Message) -> Finding:
    [found] = await slack.find([msgspec.structs.replace(what, in_doubt=True)])
    return found


async def test_only_a_bot_that_is_to_ask_can_be_asked(slack: SlackChannel) -> None:
    assert (slack.capabilities.asked_after, slack.capabilities.asks) == (timedelta(minutes=1), True)
    assert not SlackChannel(SlackSettings(token=Secret(TOKEN)), ChannelContext()).capabilities.asks


async def test_what_was_posted_is_found_by_its_id_and_nothing_else_is(
    slack: SlackChannel, vendor: VendorServer[Slack]
) -> None:
    assert await ask(slack, told()) == ABSENT
    sent = await slack.send(told(number=1))
    other = await slack.send(told(number=2))
    assert isinstance(sent, Sent)
    assert (await ask(slack, told(number=1)), await ask(slack, told(number=2))) == (sent, other)
    assert await ask(slack, told(number=3)) == ABSENT, "the same words, and another notification"
    assert len(vendor.vendor.messages) == 2


async def test_a_change_in_place_is_found_in_the_first_message(slack: SlackChannel) -> None:
    root = await slack.send(told())
    assert isinstance(root, Sent)
    second, third = (told(IDENTIFIED, number, earlier=(root.receipt,)) for number in (2, 3))
    assert await ask(slack, second) == ABSENT
    assert await slack.send(second) == root
    assert (await ask(slack, second), await ask(slack, third)) == (root, ABSENT)


async def test_a_change_that_a_later_one_has_overwritten_stays_in_doubt(slack: SlackChannel) -> None:
    root = await slack.send(told())
    assert isinstance(root, Sent)
    later = msgspec.structs.replace(IDENTIFIED, published_at=IDENTIFIED.published_at + 1)
    await slack.send(told(later, 3, earlier=(root.receipt,)))
    found = await ask(slack, told(IDENTIFIED, 2, earlier=(root.receipt,)))
    assert found == Unknown("a later update has taken its place in the message", final=True)


async def test_the_end_is_found_as_the_reply_that_it_is(slack: SlackChannel) -> None:
    root = await slack.send(told())
    assert isinstance(root, Sent)
    end = told(RESOLVED, 2, earlier=(root.receipt,))
    assert await ask(slack, end) == ABSENT
    reply = await slack.send(end)
    assert await ask(slack, end) == reply != root


async def test_where_the_first_message_is_gone_the_history_alone_tells(
    slack: SlackChannel, vendor: VendorServer[Slack]
) -> None:
    gone = told(IDENTIFIED, 2, earlier=("1795357800.999999",))
    assert await ask(slack, gone) == ABSENT
    sent = await slack.send(gone)
    assert await ask(slack, gone) == sent
    assert len(vendor.vendor.messages) == 1
    assert {*vendor.violations} == {"thread_not_found", "message_not_found"}
    vendor.violations.clear()


async def test_what_was_posted_long_before_is_not_looked_at(slack: SlackChannel, vendor: VendorServer[Slack]) -> None:
    vendor.vendor.clock -= 2 * SLACK // 1_000_000
    await slack.send(told(number=9))
    assert vendor.vendor.messages
    assert await ask(slack, told()) == ABSENT


async def test_a_message_of_the_bot_that_does_not_say_what_it_is_about_leaves_the_doubt(
    slack: SlackChannel, vendor: VendorServer[Slack]
) -> None:
    await slack.send(told(number=9))
    for one in vendor.vendor.messages.values():
        del one["metadata"]
    found = await ask(slack, told())
    assert found == Unknown("Slack has a message of the bot that does not say what it is about", final=True)


def test_messages_of_others_say_nothing() -> None:
    ts = f"{NOTICE.published_at / 1_000_000:.6f}"
    other = {"ts": ts, "bot_id": "B0OTHER", "metadata": metadata_of(told())}
    person = {"ts": ts, "user": "U1", "text": "is it down?"}
    assert finding(told(), [other, person], (), BOT) == ABSENT
    strange = [{"bot_id": BOT, "metadata": data} for data in (None, {}, {"event_type": EVENT, "event_payload": []})]
    assert all(isinstance(finding(told(), [one], (), BOT), Unknown) for one in strange)


async def test_a_bot_that_may_not_read_is_asked_no_more(slack: SlackChannel, vendor: VendorServer[Slack]) -> None:
    vendor.vendor.reads = False
    assert await ask(slack, told()) == Unknown("Slack does not tell the bot: missing_scope", final=True)
    assert vendor.violations == ["missing_scope"]
    vendor.violations.clear()


async def test_more_than_can_be_looked_through_leaves_the_doubt(
    slack: SlackChannel, vendor: VendorServer[Slack]
) -> None:
    for number in range(201):
        vendor.vendor.messages[f"{vendor.vendor.clock}.{number:06}"] = {"channel": CHANNEL, "text": "x"}
    found = await ask(slack, told())
    assert isinstance(found, Unknown)
    assert found.final


@pytest.mark.parametrize(
    ("ailment", "after"),
    [
        (json_reply(429, {"ok": False, "error": "ratelimited"}, {"retry-after": "30"}), timedelta(seconds=30)),
        (json_reply(200, {"ok": False, "error": "internal_error"}), None),
        (json_reply(200, {"ok": True}), None),
        (json_reply(200, {"ok": True, "messages": {}, "bot_id": ""}), None),
        (Reply(502, {"content-type": "text/html"}, b"<html>"), None),
        (Reply(200, {"content-type": "text/html"}, b"<html>"), None),
        (Reset(), None),
    ],
)
async def test_whatever_ails_slack_nothing_is_known_and_it_is_asked_again(
    slack: SlackChannel, vendor: VendorServer[Slack], ailment: Any, after: timedelta | None
) -> None:
    await slack.send(told())
    vendor.misbehave(ailment)
    found = await ask(slack, told())
    assert isinstance(found, Unknown)
    assert (found.final, found.after) == (False, after)
    assert TOKEN not in found.reason
    vendor.misbehave(None, times=None)
    assert isinstance(await ask(slack, told()), Sent)


async def test_a_history_that_cannot_be_asked_later_is_no_absence(
    slack: SlackChannel, vendor: VendorServer[Slack]
) -> None:
    await ask(slack, told())
    assert [request.path for request in vendor.requests][-1] == HISTORY
    vendor.misbehave(json_reply(200, {"ok": False, "error": "fatal_error"}))
    assert isinstance(await ask(slack, told()), Unknown)


async def test_nobody_can_be_asked_behind_a_webhook(slack: SlackChannel, vendor: VendorServer[Slack]) -> None:
    [found] = await slack.find([message(address=vendor.url + HOOK)])
    assert found == Unknown("a webhook does not tell", final=True)

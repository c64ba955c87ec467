"""Mail by SendGrid with a mail server behind it, against both as real servers: what one certainly did not send the other may."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from consumers.delivery.channel import Message
from consumers.delivery.channels.email import EmailChannel, EmailSettings, SendGridSettings, email_channel
from consumers.delivery.channels.failover import FailoverChannel, Provider
from consumers.delivery.conditions import Rest
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.settings import Secret
from tests.fakes.smtp import FakeSmtpServer, Refuse
from tests.fakes.vendors.http import Misbehaviour, Reply, Reset
from tests.fakes.vendors.sendgrid import KEY, SendGrid
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import message
from tests.unit.delivery.pipeline import ScriptedChannel

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Station:
    """Both providers, the channel over them, and its clock."""

    def __init__(self, vendor: VendorServer[SendGrid], server: FakeSmtpServer) -> None:
        self.vendor, self.server, self.now = vendor, server, NOON
        self.heard: list[tuple[str, str, Rest | None]] = []
        settings = EmailSettings(
            via=Secret(server.url),
            sendgrid=SendGridSettings(api_key=Secret(KEY), api=vendor.url),
            sender="Acme Status <status@acme.example>",
            connections=1,
        )
        context = ChannelContext(lambda: self.now, rests=lambda *what: self.heard.append(what))
        made = email_channel(settings, context)
        assert isinstance(made, FailoverChannel)
        self.channel = made

    async def send(self, count: int = 1, *, in_doubt: bool = False) -> list[Outcome]:
        return list(await self.channel.send_all(people(count, in_doubt=in_doubt)))


def people(count: int, *, in_doubt: bool = False) -> list[Message]:
    return [message(address=f"kim{n}@customer.example", in_doubt=in_doubt) for n in range(count)]


@pytest.fixture
def servers() -> Iterator[tuple[VendorServer[SendGrid], FakeSmtpServer]]:
    with VendorServer(SendGrid()) as vendor, FakeSmtpServer() as server:
        yield vendor, server


@pytest.fixture
async def mail(servers: tuple[VendorServer[SendGrid], FakeSmtpServer]) -> AsyncIterator[Station]:
    made = Station(*servers)
    yield made
    await made.channel.close()


def names(outcomes: list[Outcome]) -> list[str]:
    """Return which provider each outcome names."""
    return [(one.receipt if isinstance(one, Sent) else one.reason).partition(":")[0] for one in outcomes]


async def test_the_first_provider_sends_as_long_as_it_is_well(mail: Station) -> None:
    assert await mail.send(3) == [Sent("sendgrid: message-1")] * 3
    assert not mail.server.mails


@pytest.mark.parametrize("refusal", [Reply(401), Reply(403), Reply(429, {"Retry-After": "7"}), Reply(503)])
async def test_what_it_refuses_goes_by_the_second(mail: Station, refusal: Misbehaviour) -> None:
    mail.vendor.misbehave(refusal)
    outcomes = await mail.send(3)
    assert all(isinstance(one, Sent) for one in outcomes)
    assert names(outcomes) == ["smtp"] * 3
    assert len(mail.server.wait_for(3)) == 3
    assert not mail.vendor.vendor.letters


@pytest.mark.parametrize("how", [Reset(), Reset(after=20), Reset(accepts=False), Reset(after=20, hard=False)])
async def test_what_may_have_left_is_nobody_elses_affair(mail: Station, how: Misbehaviour) -> None:
    mail.vendor.misbehave(how)
    outcomes = await mail.send(2)
    assert all(isinstance(one, InDoubt) for one in outcomes)
    assert names(outcomes) == ["sendgrid"] * 2
    assert not mail.server.mails


async def test_a_provider_that_refused_us_is_passed_over_and_then_tried_with_one_message(mail: Station) -> None:
    mail.vendor.misbehave(Reply(401), times=None)
    await mail.send(2)
    asked = len(mail.vendor.requests)
    assert names(await mail.send(3)) == ["smtp"] * 3
    assert len(mail.vendor.requests) == asked
    mail.now += timedelta(minutes=1)
    assert names(await mail.send(3)) == ["smtp"] * 3
    [probe] = mail.vendor.requests[asked:]
    assert len(probe.json["personalizations"]) == 1
    mail.now += timedelta(minutes=1)
    assert len(mail.vendor.requests) == asked + 1, "it rests for longer each time"
    mail.now += timedelta(minutes=1)
    mail.vendor.misbehave(None, times=None)
    assert names(await mail.send(3)) == ["sendgrid", "smtp", "smtp"]
    assert names(await mail.send(3)) == ["sendgrid"] * 3
    assert [(name, rest is not None) for _, name, rest in mail.heard] == [
        ("sendgrid", False), ("smtp", False), ("sendgrid", True), ("sendgrid", True), ("sendgrid", False),
    ]  # fmt: skip
    [first, again] = [rest for _, _, rest in mail.heard if rest is not None]
    assert (first.refusals, again.refusals, again.since) == (1, 2, first.since)
    assert again.until - again.since == 3 * 60 * 1_000_000, "a minute's rest, and then two"


async def test_one_that_takes_nothing_for_a_while_is_passed_over_too(mail: Station) -> None:
    mail.vendor.misbehave(Reply(503), times=None)
    for _ in range(6):
        assert names(await mail.send()) == ["smtp"]
    assert len(mail.vendor.requests) == 5


async def test_where_both_refuse_us_the_channel_does(mail: Station) -> None:
    mail.vendor.misbehave(Reply(401))
    mail.server.script("MAIL", Refuse("535 5.7.8 bad credentials"))
    [outcome] = await mail.send()
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.CHANNEL
    assert outcome.reason.startswith("sendgrid: answered 401; smtp: 535")
    [resting] = await mail.send()
    assert isinstance(resting, Rejected)
    assert "sendgrid: rests, answered 401" in resting.reason


async def test_where_one_is_only_busy_it_is_tried_again(mail: Station) -> None:
    mail.vendor.misbehave(Reply(401))
    mail.server.script("RCPT", Refuse("451 4.7.1 greylisted"))
    [outcome] = await mail.send()
    assert isinstance(outcome, Retry)
    assert outcome.attempted
    assert "answered 401; smtp: 451" in outcome.reason


async def test_who_is_refused_for_his_own_sake_is_not_tried_elsewhere(mail: Station) -> None:
    mail.vendor.misbehave(Reply(401))
    mail.server.script("RCPT", Refuse("550 5.1.1 no such user"), times=1)
    outcomes = await mail.send(3)
    assert sorted(type(one).__name__ for one in outcomes) == ["Rejected", "Sent", "Sent"]
    [refused] = [one for one in outcomes if isinstance(one, Rejected)]
    assert refused.scope is Scope.RECIPIENT


async def test_what_is_in_doubt_is_asked_again_where_it_is_first_in_line_and_nowhere_else(mail: Station) -> None:
    mail.vendor.misbehave(Reply(401), times=None)
    [outcome] = await mail.send(in_doubt=True)
    assert isinstance(outcome, Rejected)
    assert not mail.server.mails


async def test_the_second_is_given_no_more_than_it_takes_in_hand_and_the_rest_waits_untried(mail: Station) -> None:
    mail.vendor.misbehave(Reply(401), times=None)
    await mail.send()
    outcomes = await mail.send(20)
    waiting = [one for one in outcomes if isinstance(one, Retry)]
    assert (len(waiting), {one.attempted for one in waiting}) == (12, {False}), "one connection takes eight at once"
    assert len(mail.server.wait_for(9)) == 9


async def test_receipts_of_sendgrid_are_listened_to_beside_a_mail_server() -> None:
    key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
    both = EmailSettings(
        via=Secret("smtp://127.0.0.1:1"),
        sendgrid=SendGridSettings(api_key=Secret(KEY), event_key=key),
        sender="a@b.example",
    )
    assert set(both.receipts()) == {"sendgrid"}
    assert isinstance(
        email_channel(EmailSettings(via=Secret("smtp://127.0.0.1:1"), sender="a@b.example"), ChannelContext()),
        EmailChannel,
    )


async def test_a_channel_without_batches_fails_over_as_well() -> None:
    one, other = ScriptedChannel("sms", claim=2), ScriptedChannel("sms", claim=2)
    channel = FailoverChannel([Provider("one", one), Provider("other", other)], ChannelContext(lambda: NOON))
    one.script(Rejected(Scope.CHANNEL, "no credit"))
    assert await channel.send(message()) == Sent("other")
    one.script()
    assert await channel.send(message()) == Sent("other"), "it rests"
    assert (len(one.attempts), len(other.attempts)) == (1, 2)

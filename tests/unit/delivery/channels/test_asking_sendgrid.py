"""What SendGrid's Email Activity is asked about mails in doubt, over real sockets: found, not there, undelivered, and who knows."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import Message
from consumers.delivery.channels.email import EmailSettings, SendGridEmailChannel, SendGridSettings
from consumers.delivery.channels.email_activity import TOGETHER, SendGridActivity
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.sendgrid import SendGridApi
from consumers.delivery.outcome import Finding, Rejected, Retry, Scope, Sent, Unknown
from consumers.delivery.settings import Secret, read
from tests.fakes.vendors.http import Reply, json_reply
from tests.fakes.vendors.matrix import MISBEHAVIOURS
from tests.fakes.vendors.sendgrid import KEY, SendGrid
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import message, notice
from tests.unit.delivery.pipeline import MINUTE, Pipeline

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
ABSENT = Retry("SendGrid does not have it")


@pytest.fixture
def vendor() -> Iterator[VendorServer[SendGrid]]:
    with VendorServer(SendGrid()) as running:
        yield running


@asynccontextmanager
async def mailing(vendor: VendorServer[SendGrid], timeout: float = 2.0) -> AsyncIterator[SendGridEmailChannel]:
    provider = SendGridSettings(api_key=Secret(KEY), api=vendor.url, ask_after=600)
    made = SendGridEmailChannel(
        EmailSettings(sendgrid=provider, sender="status@acme.example"), ChannelContext(lambda: NOW), timeout=timeout
    )
    try:
        yield made
    finally:
        await made.close()


async def found(vendor: VendorServer[SendGrid], *messages: Message, timeout: float = 2.0) -> Sequence[Finding]:
    async with mailing(vendor, timeout) as mail:
        return await mail.find(messages)


async def send(vendor: VendorServer[SendGrid], *messages: Message) -> None:
    async with mailing(vendor) as mail:
        assert {type(outcome) for outcome in await mail.send_all(messages)} == {Sent}


def to(name: str, **changes: Any) -> Message:
    return message(address=f"{name}@customer.example", **changes)


async def test_what_sendgrid_took_is_found_by_its_id(vendor: VendorServer[SendGrid]) -> None:
    vendor.vendor.failed = {"eve@customer.example"}
    await send(vendor, to("ann"), to("eve"))
    assert await found(vendor, to("ben"), to("ann"), to("eve")) == [
        ABSENT,
        Sent("message-1"),
        Rejected(Scope.MESSAGE, "SendGrid could not deliver it"),
    ]
    assert [request.method for request in vendor.requests] == ["POST", "GET"]


async def test_another_mail_to_the_same_address_is_not_taken_for_it(vendor: VendorServer[SendGrid]) -> None:
    await send(vendor, to("ann", about=notice(update="another")))
    assert await found(vendor, to("ann")) == [ABSENT]


async def test_an_address_is_asked_about_once_in_a_request(vendor: VendorServer[SendGrid]) -> None:
    first, second = to("ann"), to("ann", about=notice(update="another"))
    await send(vendor, first)
    assert await found(vendor, first, second) == [Sent("message-1"), ABSENT]
    assert [request.method for request in vendor.requests] == ["POST", "GET", "GET"]


async def test_where_it_may_have_gone_out_with_others_it_may_be_there_under_anothers_id(
    vendor: VendorServer[SendGrid],
) -> None:
    [finding] = await found(vendor, to("ann", combinable=True))
    assert isinstance(finding, Unknown)
    assert finding.final


async def test_an_account_without_the_addition_is_not_asked_again(vendor: VendorServer[SendGrid]) -> None:
    vendor.misbehave(json_reply(403, {"errors": [{"message": "access forbidden"}]}))
    assert await found(vendor, to("ann")) == [Unknown("answered 403", final=True)]


async def test_a_wait_that_sendgrid_names_is_kept(vendor: VendorServer[SendGrid]) -> None:
    vendor.misbehave(Reply(429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 70)}))
    assert await found(vendor, to("ann")) == [Unknown("answered 429", timedelta(seconds=70))]


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_whatever_goes_wrong_while_asking_proves_nothing(vendor: VendorServer[SendGrid], name: str) -> None:
    await send(vendor, to("ann"))
    vendor.misbehave(MISBEHAVIOURS[name])
    [finding] = await found(vendor, to("ann"), timeout=0.5)
    assert isinstance(finding, Unknown)
    assert "customer" not in finding.reason
    vendor.calm()


@pytest.mark.parametrize("document", [{}, [], {"messages": {}}, {"messages": ["text"]}])
async def test_nor_does_an_answer_that_is_none_of_sendgrids(vendor: VendorServer[SendGrid], document: object) -> None:
    vendor.misbehave(json_reply(200, document))
    [finding] = await found(vendor, to("ann"))
    assert isinstance(finding, Unknown)


async def test_it_is_asked_six_times_a_minute_and_the_rest_in_its_turn(vendor: VendorServer[SendGrid]) -> None:
    now = 0.0
    activity = SendGridActivity(SendGridApi(KEY, vendor.url, 2.0, lambda: NOW), lambda: now)
    mails = [(to(f"kim{number}"), f"kim{number}@customer.example") for number in range(8 * TOGETHER)]
    findings = await activity.find(mails)
    assert len(vendor.requests) == 6
    assert findings[: 6 * TOGETHER] == [ABSENT] * 6 * TOGETHER
    waits = [finding.after for finding in findings if isinstance(finding, Unknown)]
    assert sorted(set(waits), key=str) == [timedelta(seconds=10), timedelta(seconds=20)]
    now = 60.0
    assert await activity.find(mails[-1:]) == [ABSENT]


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_doubt_of_many_is_settled_for_each(
    vendor: VendorServer[SendGrid], tmp_path: Path, accepted: bool
) -> None:
    async with mailing(vendor, 0.5) as real:
        channel: Any = real
        made = Pipeline(tmp_path, channel)
        try:
            for name in ("ann", "ben", "eve"):
                made.subscribe(f"{name}@customer.example")
            vendor.misbehave(MISBEHAVIOURS["accepted, reset" if accepted else "reset"])
            made.publish()
            await made.deliver()
            assert {state for _, state in made.states()} == {"in_doubt"}
            for _ in range(3):
                made.now += 10 * MINUTE
                await made.deliver()
            assert {state for _, state in made.states()} == {"sent"}
            assert len(vendor.vendor.letters) == 3
        finally:
            made.close()


@pytest.mark.parametrize(
    ("changes", "key"), [({"ask_after": 59}, "ask_after"), ({"api": "https://api.eu.sendgrid.com"}, "ask_after")]
)
def test_settings_that_cannot_work(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=key):
        read(SendGridSettings, {"api_key": KEY, "ask_after": 600} | changes)


def test_nobody_is_asked_unless_that_is_wanted() -> None:
    provider = SendGridSettings(api_key=Secret(KEY))
    made = SendGridEmailChannel(EmailSettings(sendgrid=provider, sender="status@acme.example"), ChannelContext())
    assert not made.capabilities.asks

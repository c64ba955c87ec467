"""What Twilio is asked about messages and calls in doubt, over real sockets: found, not there, failed, and who knows."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.delivery.channel import Message
from consumers.delivery.channels.sms import SmsChannel, SmsSettings
from consumers.delivery.channels.voice import VoiceChannel, VoiceSettings
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.twilio_records import MOST, NOT_THERE
from consumers.delivery.outcome import Finding, Rejected, Retry, Scope, Sent, Unknown
from consumers.delivery.render.words import moment
from consumers.delivery.settings import read
from tests.fakes.vendors.http import Misbehaviour, Reply, json_reply
from tests.fakes.vendors.matrix import MISBEHAVIOURS
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.twilio import ACCOUNT, SENDER, TOKEN, Twilio, refusal
from tests.unit.delivery.channels.messages import PUBLISHED, message, notice
from tests.unit.delivery.pipeline import MINUTE, Pipeline, ScriptedChannel

NUMBER, ANOTHER = "+4915112345678", "+4915187654321"
OPENED, HOUR = moment(PUBLISHED), timedelta(hours=1)
ABSENT = Retry(NOT_THERE)


@pytest.fixture
def vendor() -> Iterator[VendorServer[Twilio]]:
    twilio = Twilio()
    twilio.clock = lambda: OPENED + timedelta(seconds=20)
    with VendorServer(twilio) as running:
        yield running


def settings(vendor: VendorServer[Twilio]) -> dict[str, Any]:
    return {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from": SENDER,
        "countries": ["DE", "US"],
        "base_url": vendor.url,
    }


@asynccontextmanager
async def texting(vendor: VendorServer[Twilio], **changes: Any) -> AsyncIterator[SmsChannel]:
    made = SmsChannel(read(SmsSettings, settings(vendor) | changes), ChannelContext(), timeout=2.0)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def calling(vendor: VendorServer[Twilio]) -> AsyncIterator[VoiceChannel]:
    made = VoiceChannel(read(VoiceSettings, settings(vendor)), ChannelContext(), timeout=2.0)
    try:
        yield made
    finally:
        await made.close()


def to(address: str = NUMBER, **changes: Any) -> Message:
    return message(address=address, **changes)


async def found(vendor: VendorServer[Twilio], what: Message | None = None, **changes: Any) -> Finding:
    async with texting(vendor, **changes) as sms:
        [finding] = await sms.find([what or to()])
        return finding


async def send(vendor: VendorServer[Twilio], *messages: Message, **changes: Any) -> None:
    async with texting(vendor, **changes) as sms:
        for each in messages:
            assert isinstance(await sms.send(each), Sent)


# --- texts ---


async def test_a_text_that_twilio_took_is_found_by_what_it_says(vendor: VendorServer[Twilio]) -> None:
    await send(vendor, to(ANOTHER), to(), to(about=notice(title="Logins fail")))
    assert await found(vendor) == Sent(f"SM{2:032x}")
    assert vendor.requests[-1].query == {"To": [NUMBER], "From": [SENDER], "PageSize": [str(MOST)]}


async def test_one_request_is_made_and_nothing_is_sent(vendor: VendorServer[Twilio]) -> None:
    assert await found(vendor) == ABSENT
    assert [request.method for request in vendor.requests] == ["GET"]


@pytest.mark.parametrize(
    "other",
    [
        to(ANOTHER),
        to(about=notice(title="Logins fail")),
        to(about=notice(status="identified")),
        to(about=notice(subject_id="another")),
    ],
)
async def test_others_are_not_taken_for_it(vendor: VendorServer[Twilio], other: Message) -> None:
    await send(vendor, other)
    assert await found(vendor) == ABSENT


async def test_where_it_may_have_gone_out_with_others_any_message_of_that_time_may_be_it(
    vendor: VendorServer[Twilio],
) -> None:
    perhaps = to(combinable=True)
    assert await found(vendor, perhaps) == ABSENT
    await send(vendor, to(about=notice(title="3 incidents")))
    finding = await found(vendor, perhaps)
    assert isinstance(finding, Unknown)
    assert finding.final
    await send(vendor, perhaps)
    assert isinstance(await found(vendor, perhaps), Sent)


async def test_nor_is_the_same_text_of_an_earlier_update(vendor: VendorServer[Twilio]) -> None:
    vendor.vendor.clock = lambda: OPENED - HOUR
    await send(vendor, to())
    assert await found(vendor) == ABSENT


async def test_a_clock_that_is_a_minute_behind_ours_hides_nothing(vendor: VendorServer[Twilio]) -> None:
    vendor.vendor.clock = lambda: OPENED - timedelta(minutes=1)
    await send(vendor, to())
    assert isinstance(await found(vendor), Sent)


async def test_a_service_may_have_sent_it_from_any_number(vendor: VendorServer[Twilio]) -> None:
    service: dict[str, Any] = {"messaging_service_sid": "MG" + "0c" * 16}
    await send(vendor, to(), **service)
    vendor.vendor.listed[0]["from"] = "+15005550007"
    assert isinstance(await found(vendor, **service), Sent)


async def test_what_a_trial_account_puts_before_it_does_not_hide_it(vendor: VendorServer[Twilio]) -> None:
    await send(vendor, to())
    vendor.vendor.listed[0]["body"] = "Sent from your Twilio trial account - " + vendor.vendor.listed[0]["body"]
    assert isinstance(await found(vendor), Sent)


async def test_an_account_that_keeps_no_texts_leaves_it_unknown(vendor: VendorServer[Twilio]) -> None:
    await send(vendor, to())
    vendor.vendor.listed[0]["body"] = ""
    assert isinstance(await found(vendor), Unknown)


async def test_what_came_in_from_there_is_none_of_ours(vendor: VendorServer[Twilio]) -> None:
    await send(vendor, to())
    vendor.vendor.listed[0]["direction"] = "inbound"
    assert await found(vendor) == ABSENT


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("delivered", None, Sent(f"SM{1:032x}")),
        ("undelivered", 21610, Rejected(Scope.RECIPIENT, "Twilio's code 21610: the recipient said STOP")),
        ("failed", None, Rejected(Scope.MESSAGE, "Twilio: failed")),
        ("undelivered", 30007, Rejected(Scope.MESSAGE, "Twilio: undelivered, code 30007")),
        ("failed", 30001, Retry("Twilio's code 30001: the queue overflowed")),
    ],
)
async def test_what_became_of_it_counts(
    vendor: VendorServer[Twilio], status: str, code: int | None, expected: Finding
) -> None:
    await send(vendor, to())
    vendor.vendor.listed[0] |= {"status": status, "error_code": code}
    assert await found(vendor) == expected


async def test_more_than_can_be_looked_through_is_no_proof(vendor: VendorServer[Twilio]) -> None:
    await send(vendor, to(about=notice(title="Logins fail")))
    vendor.vendor.listed *= MOST
    assert isinstance(await found(vendor), Unknown)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_whatever_goes_wrong_while_asking_proves_nothing(vendor: VendorServer[Twilio], name: str) -> None:
    await send(vendor, to())
    vendor.misbehave(MISBEHAVIOURS[name])
    assert isinstance(await found(vendor), Unknown)
    vendor.calm()


@pytest.mark.parametrize("answer", [json_reply(200, {}), json_reply(200, []), json_reply(200, {"messages": [{}]})])
async def test_nor_does_an_answer_that_is_none_of_twilios(vendor: VendorServer[Twilio], answer: Reply) -> None:
    vendor.misbehave(answer)
    assert isinstance(await found(vendor), Unknown)


async def test_a_wait_that_twilio_names_is_kept(vendor: VendorServer[Twilio]) -> None:
    vendor.misbehave(refusal(429, 20429, {"Retry-After": "70"}))
    assert await found(vendor) == Unknown("answered 429", timedelta(seconds=70))


async def test_a_number_that_is_not_taken_any_more_stays_in_doubt(vendor: VendorServer[Twilio]) -> None:
    finding = await found(vendor, to("+43 664 1234567"))
    assert isinstance(finding, Unknown)
    assert finding.final
    assert "664" not in finding.reason
    assert vendor.requests == []


# --- calls ---


async def test_where_there_is_no_call_it_is_certain_that_none_was_made(vendor: VendorServer[Twilio]) -> None:
    async with calling(vendor) as voice, texting(vendor) as sms:
        await sms.send(to())
        vendor.vendor.clock = lambda: OPENED - HOUR
        await voice.send(to())
        assert await voice.find([to()]) == [ABSENT]


async def test_a_call_says_nothing_of_what_was_read_out(vendor: VendorServer[Twilio]) -> None:
    async with calling(vendor) as voice:
        await voice.send(to())
        [finding] = await voice.find([to()])
    assert isinstance(finding, Unknown)
    assert finding.final


# --- the whole road ---


class Through(ScriptedChannel):
    """Hands everything to a real channel."""

    def __init__(self, real: SmsChannel) -> None:
        super().__init__("sms")
        self.real = real
        self.capabilities = real.capabilities

    async def send(self, message: Message) -> Any:
        self.attempts.append(message)
        return await self.real.send(message)

    async def find(self, messages: Any) -> Any:
        return await self.real.find(messages)


IN_DOUBT = {
    name: how
    for name, how in MISBEHAVIOURS.items()
    if name.startswith("accepted") or name in ("silence", "reset", "500", "503")
}


@pytest.mark.parametrize("name", IN_DOUBT)
async def test_each_doubt_is_settled_and_nobody_is_told_twice(
    vendor: VendorServer[Twilio], tmp_path: Path, name: str
) -> None:
    how: Misbehaviour = IN_DOUBT[name]
    async with texting(vendor) as real:
        made = Pipeline(tmp_path, Through(real))
        vendor.vendor.clock = lambda: moment(made.now)
        try:
            made.subscribe(NUMBER)
            vendor.misbehave(how)
            made.publish()
            await made.deliver()
            assert [state for _, state in made.states()] == ["in_doubt"]
            vendor.calm()
            for _ in range(4):
                made.now += MINUTE
                await made.deliver()
            assert [state for _, state in made.states()] == ["sent"]
            assert len(vendor.vendor.texts) == 1
            assert len(made.channel.attempts) == (1 if how.accepts else 2)
        finally:
            made.close()


async def test_when_twilio_is_asked(vendor: VendorServer[Twilio]) -> None:
    async with texting(vendor) as soon, texting(vendor, ask_after=90) as later:
        assert (soon.capabilities.asked_after, later.capabilities.asked_after) == (
            timedelta(seconds=60),
            timedelta(seconds=90),
        )
        assert soon.capabilities.asks

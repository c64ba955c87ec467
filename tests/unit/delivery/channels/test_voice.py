"""Calls over real sockets: what Twilio is told to say, and every way to fail."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channel import AddressError
from consumers.delivery.channels.voice import VoiceChannel, VoiceSettings, spoken, twiml_of
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import Rejected, Scope, Sent
from consumers.delivery.settings import read
from schemas.vocabulary import Kind
from tests.fakes.vendors.matrix import PROVIDER, try_all, word_of
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.twilio import ACCOUNT, SENDER, TOKEN, Twilio, refusal
from tests.unit.delivery.channels.messages import message, notice
from tests.unit.delivery.channels.test_sms import IN_DOUBT

NUMBER = "+493012345678"
CALLBACKS = "https://status.acme.example/receipts/main/twilio-voice"


@pytest.fixture
def vendor() -> Iterator[VendorServer[Twilio]]:
    with VendorServer(Twilio()) as running:
        yield running


def settings(vendor: VendorServer[Twilio], **changes: Any) -> VoiceSettings:
    given: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from": SENDER,
        "countries": ["DE"],
        "base_url": vendor.url,
    }
    return read(VoiceSettings, given | changes)


@asynccontextmanager
async def channel(vendor: VendorServer[Twilio], **changes: Any) -> AsyncIterator[VoiceChannel]:
    made = VoiceChannel(settings(vendor, **changes), ChannelContext(), timeout=2.0)
    try:
        yield made
    finally:
        await made.close()


async def test_a_call_reads_the_message_out_twice(vendor: VendorServer[Twilio]) -> None:
    sent = message(address=NUMBER)
    async with channel(vendor, callbacks=CALLBACKS, ring=20, language="en-GB") as voice:
        assert await voice.send(sent) == Sent(receipt=f"CA{1:032x}")
    [call] = vendor.vendor.calls
    said = ET.fromstring(call.pop("Twiml")).findall("Say")
    assert [each.text for each in said] == [spoken(sent, 500)] * 2
    assert {each.get("language") for each in said} == {"en-GB"}
    assert call == {
        "To": NUMBER,
        "From": SENDER,
        "Timeout": "20",
        "StatusCallback": f"{CALLBACKS}?notification={sent.notification}",
        "StatusCallbackEvent": ["initiated", "completed"],
    }


async def test_without_callbacks_none_are_asked_for(vendor: VendorServer[Twilio]) -> None:
    async with channel(vendor) as voice:
        await voice.send(message(address=NUMBER))
    assert "StatusCallback" not in vendor.vendor.calls[0]
    assert settings(vendor).receipts() == {}
    proofs = settings(vendor, callbacks=CALLBACKS).receipts()
    assert proofs == {"twilio-voice": {"url": CALLBACKS, "auth_token": TOKEN}}


def test_what_is_said() -> None:
    body = "Some requests fail, see [the log](https://acme.example/log).\n\n- reads work\n- writes do not"
    assert spoken(message(notice(body=body), drill=True), 500) == (
        "Acme Cloud. This is a drill. Investigating: API errors in Europe. Some requests fail, see the log. reads work. "
        "writes do not. Next update by 16:00 CET."
    )
    over = message(notice(status="resolved", body="All is well", promise_at=None), over=True)
    assert spoken(over, 500) == "Acme Cloud. Happened, and over: API errors in Europe. All is well."
    due = message(notice(kind=Kind.REMINDER))
    assert spoken(due, 500) == "[Acme Cloud] Update promised by 16:00 CET: API errors in Europe."


async def test_every_way_to_fail(vendor: VendorServer[Twilio]) -> None:
    async with channel(vendor) as voice:
        await try_all(voice, message(address=NUMBER), vendor, PROVIDER | IN_DOUBT, risks=())


@pytest.mark.parametrize(
    ("code", "word"),
    [(21211, "recipient"), (21214, "message"), (10001, "channel"), (21215, "message"), (10004, "retry")],
)
async def test_codes_of_calls(vendor: VendorServer[Twilio], code: int, word: str) -> None:
    vendor.misbehave(refusal(400, code))
    async with channel(vendor) as voice:
        assert word_of(await voice.send(message(address=NUMBER))) == word


async def test_a_call_asks_for_no_confirmation(vendor: VendorServer[Twilio]) -> None:
    async with channel(vendor) as voice:
        outcome = await voice.send(message(notice(kind=Kind.CONFIRMATION), NUMBER, confirm_url="https://a.example/t"))
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.MESSAGE
    assert vendor.requests == []


async def test_landlines_are_called_and_other_countries_are_not(vendor: VendorServer[Twilio]) -> None:
    async with channel(vendor) as voice:
        assert voice.validate("+49 30 12345678") == NUMBER
        assert voice.validate("+49 151 12345678") == "+4915112345678"
        for dear in ("+49 900 1234567", "+43 1 2345678"):
            with pytest.raises(AddressError):
                voice.validate(dear)
            assert word_of(await voice.send(message(address=dear))) == "message"


@pytest.mark.parametrize(
    "changes", [{"from": "Acme"}, {"ring": 4}, {"language": "English!"}, {"characters": 50}, {"callbacks": "x"}]
)
def test_settings_that_cannot_work(vendor: VendorServer[Twilio], changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        settings(vendor, **changes)
    assert next(iter(changes)) in str(refused.value)


@given(text=st.text(st.sampled_from("&<>\"'äя😀 x.\ufffe\uffff") | st.characters(), max_size=1_600))
def test_any_text_becomes_twiml_that_twilio_takes(text: str) -> None:
    said = spoken(message(notice(body=text, title=f"\ufffe\uffff\x01{text[:50]}")), 1_500)
    written = twiml_of(said, "en-US")
    assert len(written) <= 4_000
    first, second = ET.fromstring(written).findall("Say")
    assert first.text == second.text
    assert said.startswith(first.text or "")

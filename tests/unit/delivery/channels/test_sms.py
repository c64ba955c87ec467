"""Text messages over real sockets: what arrives at Twilio, every way to fail, and whose numbers are taken."""

import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.sms import SmsChannel, SmsSettings
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.twilio_api import CODES, Ends
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Sent
from consumers.delivery.settings import read
from schemas.vocabulary import Kind
from tests.fakes.vendors.http import Reply, json_reply
from tests.fakes.vendors.matrix import PROVIDER, try_all, word_of
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.twilio import ACCOUNT, SENDER, TOKEN, Twilio, problem, refusal
from tests.fakes.webhook import FakeWebhookReceiver
from tests.unit.delivery.channels.conftest import Tls
from tests.unit.delivery.channels.examples import TEXT
from tests.unit.delivery.channels.messages import message, notice

NUMBER = "+4915112345678"
KEY, KEY_SECRET = "SK" + "0b" * 16, "k3ys3cret"
CALLBACKS = "https://status.acme.example/receipts/main/twilio"
IN_DOUBT = dict.fromkeys(("500", "502", "503", "503 for 7 s", "504", "501", "accepted, 500"), "in doubt")
"""Twilio says of its own errors that the message may have gone out."""


@pytest.fixture
def vendor() -> Iterator[VendorServer[Twilio]]:
    with VendorServer(Twilio()) as running:
        yield running


def settings(vendor: VendorServer[Twilio], **changes: Any) -> SmsSettings:
    given: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from": SENDER,
        "countries": ["DE", "US"],
        "base_url": vendor.url,
    }
    given |= changes
    return read(SmsSettings, {name: value for name, value in given.items() if value is not None})


@asynccontextmanager
async def channel(vendor: VendorServer[Twilio], **changes: Any) -> AsyncIterator[SmsChannel]:
    made = SmsChannel(settings(vendor, **changes), ChannelContext(), timeout=2.0)
    try:
        yield made
    finally:
        await made.close()


def to(address: str = NUMBER, **changes: Any) -> Message:
    return message(address=address, **changes)


async def send(vendor: VendorServer[Twilio], what: Message | None = None, **changes: Any) -> Outcome:
    async with channel(vendor, **changes) as sms:
        return await sms.send(what or to())


async def test_a_message_arrives(vendor: VendorServer[Twilio]) -> None:
    sent = to()
    assert await send(vendor, sent, callbacks=CALLBACKS) == Sent(receipt=f"SM{1:032x}")
    [text] = vendor.vendor.texts
    assert text.pop("Body").startswith("Acme Cloud: Investigating: API errors in Europe\n")
    assert text == {
        "To": NUMBER,
        "From": SENDER,
        "StatusCallback": f"{CALLBACKS}?notification={sent.notification}",
        "ValidityPeriod": "600",
    }


async def test_a_messaging_service_may_choose_the_sender(vendor: VendorServer[Twilio]) -> None:
    service = "MG" + "0c" * 16
    assert isinstance(await send(vendor, **{"from": None}, messaging_service_sid=service), Sent)
    [text] = vendor.vendor.texts
    assert (text["MessagingServiceSid"], "From" in text, "StatusCallback" in text) == (service, False, False)


async def test_a_key_opens_the_account() -> None:
    with VendorServer(Twilio(KEY, KEY_SECRET)) as vendor:
        assert isinstance(await send(vendor, api_key=KEY, api_secret=KEY_SECRET), Sent)


@pytest.mark.parametrize(
    ("about", "waits"),
    [
        (notice(status="monitoring"), True),
        (notice(status="resolved"), False),
        (notice(status="postmortem"), False),
        (notice(kind=Kind.MAINTENANCE, status="completed"), False),
        (notice(kind=Kind.MAINTENANCE, status="scheduled"), True),
        (notice(kind=Kind.CONFIRMATION, status="pending"), False),
    ],
)
async def test_only_what_will_be_followed_by_more_is_dropped_when_it_is_old(
    vendor: VendorServer[Twilio], about: Any, waits: bool
) -> None:
    await send(vendor, message(about, NUMBER), validity=900)
    assert vendor.vendor.texts[0].get("ValidityPeriod") == ("900" if waits else None)


async def test_every_way_to_fail(vendor: VendorServer[Twilio]) -> None:
    async with channel(vendor) as sms:
        await try_all(sms, to(), vendor, PROVIDER | IN_DOUBT, risks=())


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [refusal, problem])
async def test_every_code(vendor: VendorServer[Twilio], code: int, shape: Any) -> None:
    vendor.misbehave(shape(500 if code == 20500 else 400, code))
    outcome = await send(vendor)
    assert word_of(outcome) == CODES[code].ends
    assert isinstance(outcome, Retry | Rejected | InDoubt)
    assert outcome.reason == f"Twilio's code {code}: {CODES[code].words}"


TABLE = {
    "retry": [20429, 20503, 21611, 30001],
    "in doubt": [20500],
    "recipient": [21211, 21614, 21610],
    "message": [21408, 21612, 21617],
    "channel": [20003],
}


@pytest.mark.parametrize(("word", "code"), [(word, code) for word, codes in TABLE.items() for code in codes])
def test_the_codes_mean_what_twilios_documentation_says(word: str, code: int) -> None:
    assert CODES[code].ends == Ends(word)


async def test_a_wait_that_twilio_names_is_kept(vendor: VendorServer[Twilio]) -> None:
    vendor.misbehave(refusal(429, 20429, {"Retry-After": "3"}))
    assert word_of(await send(vendor)) == "retry after 3 s"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code": "21211"}', b'{"code": null}', b"<html>", b'{"code": 99999}'])
async def test_without_a_code_that_is_known_the_status_decides(vendor: VendorServer[Twilio], body: bytes) -> None:
    vendor.misbehave(Reply(400, body=body))
    assert word_of(await send(vendor)) == "message"
    vendor.misbehave(Reply(500, body=body))
    assert word_of(await send(vendor)) == "in doubt"


@pytest.mark.parametrize(
    "answer",
    [
        Reply(201),
        json_reply(201, {}),
        json_reply(201, []),
        json_reply(201, {"sid": 5}),
        json_reply(201, {"sid": "x"}),
        json_reply(201, {"sid": "SM" + "0" * 32, "date_created": 5}),
        json_reply(200, {"sid": "SM" + "0" * 32}),
    ],
)
async def test_an_answer_that_is_none_of_twilios_proves_nothing(vendor: VendorServer[Twilio], answer: Reply) -> None:
    vendor.misbehave(answer)
    assert word_of(await send(vendor)) == "in doubt"


@pytest.mark.parametrize(("code", "word"), [(21610, "recipient"), (30007, "message"), (None, "message")])
async def test_what_failed_at_once_is_not_called_sent(
    vendor: VendorServer[Twilio], code: int | None, word: str
) -> None:
    vendor.vendor.at_once = {"status": "failed", "error_code": code}
    assert word_of(await send(vendor)) == word


async def test_what_only_an_operator_can_mend_is_logged_once_and_without_the_number(
    vendor: VendorServer[Twilio], caplog: pytest.LogCaptureFixture
) -> None:
    vendor.misbehave(refusal(400, 21408), times=2)
    with caplog.at_level(logging.DEBUG):
        async with channel(vendor) as sms:
            first, second = await sms.send(to()), await sms.send(to())
    assert first == second
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["Twilio refuses with code 21408: messages to this country are not permitted"]
    for secret in (NUMBER, NUMBER[1:], TOKEN):
        assert secret not in caplog.text
        assert secret not in str(first)


async def test_twilios_environment_does_not_rewrite_where_it_goes(
    vendor: VendorServer[Twilio], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TWILIO_EDGE", "TWILIO_REGION", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(await send(vendor), Sent)


# --- numbers ---


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+49 151 12345678", NUMBER),
        ("+49 (0)151-1234-5678", NUMBER),
        ("+1 (201) 555-0123", "+12015550123"),
        ("+4915112345678", NUMBER),
    ],
)
async def test_numbers_that_are_taken(vendor: VendorServer[Twilio], typed: str, kept: str) -> None:
    async with channel(vendor) as sms:
        assert sms.validate(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "0151 12345678",  # of which country?
        "+49 151",
        "+49 151 12345678 ext. 5",
        "+43 664 1234567",  # Austria is not on the list
        "+1 416 555 0123",  # nor is Canada, whose code is that of the United States
        "+49 30 123456",  # a landline
        "+49 900 1234567",  # whoever calls it pays extra
        "+1 900 555 0123",
        "+800 1234 5678",
        "kim@customer.example",
        "+491511234567812345678",
    ],
)
async def test_numbers_that_are_not(vendor: VendorServer[Twilio], typed: str) -> None:
    async with channel(vendor) as sms:
        with pytest.raises(AddressError) as refused:
            sms.validate(typed)
        assert not typed or typed not in str(refused.value)
        assert word_of(await sms.send(to(typed))) == "message"
    assert vendor.requests == []


async def test_a_number_is_masked(vendor: VendorServer[Twilio]) -> None:
    async with channel(vendor) as sms:
        assert sms.mask(NUMBER) == "+49…678"
        assert sms.mask("nonsense") == "+…nse"


# --- settings ---


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"auth_token": None}, "auth_token"),
        ({"auth_token": None, "api_key": KEY}, "api_secret"),
        ({"api_secret": KEY_SECRET}, "api_secret"),
        ({"auth_token": None, "api_key": KEY, "api_secret": KEY_SECRET, "callbacks": CALLBACKS}, "callbacks"),
        ({"from": None}, "from"),
        ({"from": "Acme Cloud Ltd"}, "from"),
        ({"from": "+0123"}, "from"),
        ({"account_sid": "AC1"}, "account_sid"),
        ({"countries": None}, "countries"),
        ({"countries": []}, "countries"),
        ({"countries": ["Germany"]}, "countries"),
        ({"base_url": "http://api.twilio.com"}, "base_url"),
        ({"callbacks": CALLBACKS + "?a=b"}, "callbacks"),
        ({"callbacks": "https://my_page.example/receipts"}, "callbacks"),
        ({"validity": 5}, "validity"),
        ({"segments": 11}, "segments"),
    ],
)
def test_settings_that_cannot_work(vendor: VendorServer[Twilio], changes: dict[str, Any], key: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        settings(vendor, **changes)
    assert key in str(refused.value)
    assert KEY_SECRET not in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("sender", [SENDER, "12345", "Acme Cloud", "ACME-1"])
def test_senders(vendor: VendorServer[Twilio], sender: str) -> None:
    assert settings(vendor, **{"from": sender}).sender == sender


def test_what_proves_callbacks(vendor: VendorServer[Twilio]) -> None:
    assert settings(vendor).receipts() == {}
    assert settings(vendor, callbacks=CALLBACKS).receipts() == {"twilio": {"url": CALLBACKS, "auth_token": TOKEN}}
    keyed = settings(vendor, callbacks=CALLBACKS, callback_key="sh4red")
    assert keyed.receipts() == {"twilio": {"url": CALLBACKS, "shared_key": "sh4red"}}
    assert "sh4red" not in repr(keyed)


async def test_a_certificate_that_is_not_trusted_is_a_retry(vendor: VendorServer[Twilio], tls: Tls) -> None:
    with FakeWebhookReceiver(tls=tls.server) as impostor:
        assert await send(vendor, base_url=f"https://127.0.0.1:{impostor.port}") == Retry("no connection")
        assert impostor.deliveries == []


def test_the_documentation_tells_every_code() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| ([a-z]+)[^|]*\|$",
        TEXT.partition("| code of the answer |")[2].partition("\n\n")[0],
        re.MULTILINE,
    )
    documented = {int(code): word for codes, word in rows for code in re.findall(r"\b\d{5}\b", codes)}
    assert documented == {code: "doubt" if known.ends is Ends.DOUBT else known.ends for code, known in CODES.items()}

"""What Twilio's callbacks say, row by row, and that nobody else can say it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channels.sms import SmsSettings
from consumers.delivery.channels.voice import VoiceSettings
from consumers.delivery.settings import read
from producers.receipts.receipt import (
    Fact,
    NotAuthenticError,
    NotUnderstoodError,
    Opening,
    Reader,
    ReceiptRequest,
    What,
)
from producers.receipts.recording import Recorder
from producers.receipts.registry import RECEIPT_KIND_OF_NAME
from producers.receipts.twilio import CALL_STATUSES, CALLS, CODES, MESSAGE_STATUSES, MESSAGES, START_WORDS, STOP_WORDS
from schemas.events import DeliveriesRecorded, EndpointSuppressed
from schemas.vocabulary import NotificationState as State
from schemas.vocabulary import Suppression
from streams.runtime.notified import Notified
from tests.fakes.vendors.twilio import ACCOUNT, SENDER, TOKEN, callback

NOW = 1_795_357_800_000_000
URL = "https://status.acme.example/receipts/main/twilio"
NOTIFICATION = "0f" * 28
SID = "SM" + "0a" * 16
NUMBER = "+4915112345678"


def reader(kind: Any = MESSAGES, **keys: str) -> Reader:
    opened: Reader = kind.open(Opening("sms", URL, keys or {"auth_token": TOKEN}))
    return opened


def request(form: dict[str, str], url: str = f"{URL}?notification={NOTIFICATION}", **signed: str) -> ReceiptRequest:
    made = callback(url, form, **signed)
    return ReceiptRequest(made.raw, made.headers, urlsplit(made.target).query, NOW)


def facts_of(form: dict[str, str], kind: Any = MESSAGES, **more: Any) -> Sequence[Fact]:
    return reader(kind)(request(form, **more))


@pytest.mark.parametrize(("status", "what"), MESSAGE_STATUSES.items())
def test_what_becomes_of_a_message(status: str, what: What) -> None:
    reason = f"{status} at Twilio" if what is What.FAILED else SID
    expected = Fact(NOTIFICATION, what, reason, NOW, f"{SID} {status}")
    assert facts_of({"MessageSid": SID, "MessageStatus": status, "To": NUMBER}) == [expected]


@pytest.mark.parametrize(("status", "what"), CALL_STATUSES.items())
def test_what_becomes_of_a_call(status: str, what: What) -> None:
    [fact] = facts_of({"CallSid": "CA" + "0a" * 16, "CallStatus": status, "To": NUMBER}, CALLS)
    assert (fact.notification, fact.what) == (NOTIFICATION, what)


def test_every_status_of_the_providers_document_is_known() -> None:
    messages = "queued sending sent failed delivered undelivered receiving received accepted scheduled read partially_delivered canceled"
    assert set(messages.split()) - set(MESSAGE_STATUSES) == {"receiving", "received", "partially_delivered"}
    calls = "queued ringing in-progress completed busy failed no-answer canceled"
    assert set(CALL_STATUSES) - set(calls.split()) == {"initiated"}
    """A callback's name for a call that is dialled."""


@pytest.mark.parametrize("status", ["failed", "undelivered"])
@pytest.mark.parametrize(("code", "meant"), CODES.items())
def test_why_a_message_failed(code: str, meant: tuple[What, str], status: str) -> None:
    [*before, fact] = facts_of({"MessageSid": SID, "MessageStatus": status, "ErrorCode": code, "To": NUMBER})
    assert (fact.what, fact.reason) == (meant[0], f"Twilio's code {code}: {meant[1]}")
    assert [each.what for each in before] == ([What.FAILED] if meant[0] is What.LEFT else [])


TABLE = {
    What.UNREACHABLE: ["30004", "30005", "30006", "21211", "21614"],
    What.LEFT: ["21610"],
    What.FAILED: ["30001", "30007", "30500", "21408", "21612"],
    What.UNREACHED: ["30003", "30008"],
}


@pytest.mark.parametrize(("what", "code"), [(what, code) for what, codes in TABLE.items() for code in codes])
def test_the_codes_condemn_whom_twilios_documentation_condemns(what: What, code: str) -> None:
    assert CODES[code][0] is what


@pytest.mark.parametrize("code", ["", "31999", "x" * 50, "<script>", NUMBER])
def test_an_unknown_code_condemns_nobody(code: str) -> None:
    [fact] = facts_of({"MessageSid": SID, "MessageStatus": "failed", "ErrorCode": code})
    assert fact.what is What.FAILED
    assert fact.reason in {"failed at Twilio", "failed at Twilio, code 31999"}


@pytest.mark.parametrize("status", ["partially_delivered", "receiving", "new"])
def test_a_status_of_no_consequence_says_nothing(status: str) -> None:
    assert facts_of({"MessageSid": SID, "MessageStatus": status}) == []
    assert facts_of({"CallSid": SID, "CallStatus": status}, CALLS) == []


def test_a_message_that_is_not_ours_says_nothing() -> None:
    assert facts_of({"MessageSid": SID, "MessageStatus": "delivered"}, url=URL) == []


@pytest.mark.parametrize("form", [{}, {"MessageStatus": "sent"}, {"MessageSid": "S M", "MessageStatus": "sent"}])
def test_what_is_signed_and_no_receipt_is_not_understood(form: dict[str, str]) -> None:
    with pytest.raises(NotUnderstoodError):
        facts_of(form)
    with pytest.raises(NotUnderstoodError):
        facts_of({"CallSid": SID}, CALLS)


# --- what people answer ---


def answer(body: str, **more: str) -> dict[str, str]:
    return {"MessageSid": SID, "SmsStatus": "received", "From": NUMBER, "To": SENDER, "Body": body, **more}


@pytest.mark.parametrize("body", [*sorted(STOP_WORDS), " stop\n", "Stop"])
def test_stop_is_the_end_of_it(body: str) -> None:
    assert facts_of(answer(body), url=URL) == [Fact("", What.LEFT, "answered STOP", NOW, f"{SID} stop", NUMBER)]


@pytest.mark.parametrize("body", [*sorted(START_WORDS), " start\n", "Unstop"])
def test_start_brings_back(body: str) -> None:
    assert facts_of(answer(body), url=URL) == [Fact("", What.RETURNED, "answered START", NOW, f"{SID} start", NUMBER)]


def test_start_in_the_words_of_a_messaging_service() -> None:
    [fact] = facts_of(answer("Bonjour", OptOutType="START"), url=URL)
    assert fact.what is What.RETURNED


def test_stop_in_the_words_of_a_messaging_service() -> None:
    [fact] = facts_of(answer("Arrêt", OptOutType="STOP"), url=URL)
    assert fact.what is What.LEFT


@pytest.mark.parametrize("body", ["", "YES", "HELP", "start again", "please stop this", "STOP IT"])
def test_other_answers_do_nothing(body: str) -> None:
    assert facts_of(answer(body), url=URL) == []
    assert facts_of(answer("STOP", OptOutType="HELP"), url=URL) == []


def test_who_leaves_is_found_by_the_number() -> None:
    facts = facts_of(answer("STOP"), url=URL)
    recorded = Recorder("main", "twilio", NOW, {}, {NUMBER: ["kim", "lee"]}).record(facts)
    assert [event.data for event in recorded.events] == [
        EndpointSuppressed("kim", "answered STOP", Suppression.OPTED_OUT),
        EndpointSuppressed("lee", "answered STOP", Suppression.OPTED_OUT),
    ]


# --- signatures ---

SENT = {"MessageSid": SID, "MessageStatus": "sent", "AccountSid": ACCOUNT}


def test_the_signature_is_twilios() -> None:
    """The example that Twilio's own libraries are tested with."""
    number = "+14158675309"
    form = {"CallSid": "CA1234567890ABCDE", "Caller": number, "Digits": "1234", "From": number, "To": "+18005551212"}
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    }
    asked = ReceiptRequest(urlencode(form).encode(), headers, "foo=1&bar=2", NOW)
    opening = Opening("voice", "https://mycompany.com/myapp.php", {"auth_token": "12345"})
    with pytest.raises(NotUnderstoodError):  # it is authentic, and no receipt
        CALLS.open(opening)(asked)
    with pytest.raises(NotAuthenticError):
        CALLS.open(replace(opening, url="https://mycompany.com/myapp"))(asked)


@pytest.mark.parametrize(
    "other",
    [
        {"key": "another"},
        {"algorithm": "HMAC_SHA256"},
        {"url": f"{URL}?notification={'0e' * 28}"},
        {"url": f"http://status.acme.example/receipts/main/twilio?notification={NOTIFICATION}"},
    ],
)
def test_a_signature_of_something_else_is_refused(other: dict[str, str]) -> None:
    forged = request(SENT, **other)
    asked = ReceiptRequest(forged.body, forged.headers, f"notification={NOTIFICATION}", NOW)
    with pytest.raises(NotAuthenticError):
        reader()(asked)


def test_a_request_does_not_choose_its_algorithm() -> None:
    strong = request(SENT, key="sh4red", algorithm="HMAC_SHA256")
    assert len(reader(shared_key="sh4red")(strong)) == 1
    settings = {"x-twilio-webhooks-signature-settings": "key=k,algorithm=HMAC_SHA1"}
    weak = request(SENT, key="sh4red")
    for headers in (weak.headers, {**weak.headers, **settings}):
        with pytest.raises(NotAuthenticError):
            reader(shared_key="sh4red")(ReceiptRequest(weak.body, headers, weak.query, NOW))


@pytest.mark.parametrize("headers", [{}, {"x-twilio-signature": ""}, {"x-twilio-signature": "é" * 28}])
def test_without_a_signature_nothing_is_believed(headers: dict[str, str]) -> None:
    good = request(SENT)
    kept = {"content-type": good.headers["content-type"]} | headers
    with pytest.raises(NotAuthenticError):
        reader()(ReceiptRequest(good.body, kept, good.query, NOW))


def test_a_changed_form_is_refused() -> None:
    good = request(SENT)
    for body in (good.body.replace(b"sent", b"failed"), good.body + b"&MessageStatus=failed", b"", b"\xff"):
        with pytest.raises(NotAuthenticError):
            reader()(ReceiptRequest(body, good.headers, good.query, NOW))


@given(body=st.binary(max_size=300), query=st.text(max_size=50), signature=st.text(max_size=40))
def test_anything_else_is_refused_and_never_an_error(body: bytes, query: str, signature: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    with pytest.raises(NotAuthenticError):
        READER(ReceiptRequest(body, headers, query, NOW))


READER = reader()


def test_the_address_that_twilio_was_given_is_the_one_that_is_signed() -> None:
    given_url = "https://hooks.acme.example/tocsin"
    facts = reader(auth_token=TOKEN, url=given_url)(request(SENT, url=f"{given_url}?notification={NOTIFICATION}"))
    assert [fact.what for fact in facts] == [What.ACCEPTED]


# --- what follows ---


@pytest.mark.parametrize("order", list(permutations(["queued", "sent", "delivered"])))
def test_in_any_order_a_message_arrives_in_the_end(order: tuple[str, ...]) -> None:
    state = State.IN_DOUBT
    for status in order:
        known = {NOTIFICATION: Notified("kim", "sms", 0, state)}
        facts = facts_of({"MessageSid": SID, "MessageStatus": status})
        for event in Recorder("main", "twilio", NOW, known, {}).record(facts).events:
            assert isinstance(event.data, DeliveriesRecorded)
            [result] = event.data.results
            assert result.reason == SID
            state = result.state
    assert state is State.DELIVERED


def test_every_kind_that_the_channels_name_is_listened_to() -> None:
    common = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": SENDER, "countries": ["DE"], "callbacks": URL}
    form = {"MessageSid": SID, "MessageStatus": "sent", "CallSid": SID, "CallStatus": "ringing"}
    for settings, kind in ((SmsSettings, MESSAGES), (VoiceSettings, CALLS)):
        [(name, keys)] = read(settings, common).receipts().items()
        assert RECEIPT_KIND_OF_NAME[name] is kind
        [fact] = kind.open(Opening("any", "https://elsewhere.example", keys))(request(form))
        assert fact.what is What.ACCEPTED

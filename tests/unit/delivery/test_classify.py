"""Every status has one meaning, and the meanings are what the channels' documentation says."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from consumers.delivery.classify import (
    HTTP_MEANING,
    LONGEST_WAIT,
    Meaning,
    Phase,
    classify_http,
    classify_smtp,
    wait_of,
)
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
RETRIED = {408, 409, 421, 423, 425, 429} | (set(range(500, 600)) - {501, 505})
OF_THE_RECIPIENT = {404, 405, 410} | set(range(100, 200)) | set(range(300, 400))
OF_ACCESS = {401, 402, 403, 407}


def expected(status: int) -> Outcome:
    reason = f"answered {status}"
    if 200 <= status < 300:
        return Sent()
    if status in RETRIED:
        return Retry(reason)
    if status in OF_THE_RECIPIENT:
        return Rejected(Scope.RECIPIENT, reason, gone=status in {404, 410})
    return Rejected(Scope.CHANNEL if status in OF_ACCESS else Scope.MESSAGE, reason)


def test_every_http_status_has_its_meaning() -> None:
    for status in range(100, 600):
        assert classify_http(status, now=NOW) == expected(status)


def test_the_table_knows_every_status_and_uses_every_meaning() -> None:
    assert sorted(HTTP_MEANING) == list(range(100, 600))
    assert set(HTTP_MEANING.values()) == set(Meaning)


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999])
def test_a_status_that_does_not_exist_is_in_doubt(status: int) -> None:
    assert isinstance(classify_http(status, now=NOW), InDoubt)


def test_no_status_of_a_strangers_server_condemns_the_channel() -> None:
    for status in range(100, 600):
        outcome = classify_http(status, now=NOW, access=Scope.MESSAGE)
        assert not (isinstance(outcome, Rejected) and outcome.scope is Scope.CHANNEL)


def test_no_status_of_a_provider_condemns_a_recipient() -> None:
    for status in range(100, 600):
        outcome = classify_http(status, now=NOW, address=Scope.CHANNEL)
        assert not (isinstance(outcome, Rejected) and outcome.scope is Scope.RECIPIENT)
        assert isinstance(outcome, type(expected(status)))


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", timedelta()),
        ("7", timedelta(seconds=7)),
        (" 120 ", timedelta(minutes=2)),
        ("1.5", timedelta(seconds=1.5)),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), timedelta(seconds=90)),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), timedelta()),
        ("999999999", LONGEST_WAIT),
        ("9" * 400, None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("\uff11\uff12", None),
        ("Mon, 99 Foo 2026 25:61:00 GMT", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, wait: timedelta | None) -> None:
    assert wait_of(header, NOW) == wait
    assert classify_http(429, now=NOW, retry_after=header) == Retry("answered 429", wait)


REFUSED_AT = {
    Phase.CONNECT: Scope.CHANNEL,
    Phase.AUTH: Scope.CHANNEL,
    Phase.MAIL: Scope.CHANNEL,
    Phase.RCPT: Scope.RECIPIENT,
    Phase.DATA: Scope.MESSAGE,
    Phase.END: Scope.MESSAGE,
}


def expected_of_smtp(phase: Phase, code: int) -> Outcome:
    reason = f"{code} at {phase}"
    if code >= 500:
        return Rejected(Scope.CHANNEL if code in {530, 534, 535, 538} else REFUSED_AT[phase], reason)
    if code >= 400 or phase is not Phase.END:
        return Retry(reason, soft=phase is Phase.RCPT and code >= 400)
    return Sent() if code < 300 else InDoubt(reason)


@pytest.mark.parametrize("phase", Phase)
def test_every_smtp_reply_has_its_meaning_in_every_phase(phase: Phase) -> None:
    for code in range(200, 600):
        assert classify_smtp(phase, code) == expected_of_smtp(phase, code)


@pytest.mark.parametrize("phase", Phase)
def test_a_server_out_of_step_is_never_taken_for_success(phase: Phase) -> None:
    for code in (-1, 0, 100, 199, 300, 399, 600, 999):
        assert not isinstance(classify_smtp(phase, code), Sent)


@pytest.mark.parametrize(
    ("code", "text", "scope"),
    [
        (550, "5.1.1 no such user", Scope.RECIPIENT),
        (550, "no such user", Scope.RECIPIENT),
        (554, "5.7.1 relay access denied", Scope.MESSAGE),
        (552, "5.2.2 mailbox full", Scope.MESSAGE),
        (550, "5.2.1 mailbox disabled", Scope.RECIPIENT),
        (550, "5.4.1 no route", Scope.MESSAGE),
        (530, "5.7.0 authentication required", Scope.CHANNEL),
    ],
)
def test_a_refusal_at_rcpt_condemns_the_address_only_if_it_is_about_the_address(
    code: int, text: str, scope: Scope
) -> None:
    assert classify_smtp(Phase.RCPT, code, text) == Rejected(scope, f"{code} at rcpt", soft="full" in text)

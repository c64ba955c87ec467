"""What SendGrid's events say, row by row as documented, and that nobody else can say it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.receipts.receipt import (
    Fact,
    NotAuthenticError,
    NotUnderstoodError,
    Opening,
    Reader,
    ReceiptRequest,
    What,
)
from producers.receipts.sendgrid import FRESH, KIND
from tests.fakes.vendors.sendgrid import Letter
from tests.fakes.vendors.sendgrid_events import Events, Posted

NOW = 1_795_357_800
NOTIFICATION = "0f" * 28
LETTER = Letter("kim@customer.example", "s", "t", "h", {}, {"notification": NOTIFICATION, "attempt": "a1"}, "message-1")
EVENTS = Events()
READ: Reader = KIND.open(
    Opening("email", "https://status.acme.example/receipts/acme/sendgrid", {"event_key": EVENTS.public_key})
)


def request(posted: Posted, **headers: str) -> ReceiptRequest:
    lowered = {name.lower(): value for name, value in (posted.headers | headers).items()}
    return ReceiptRequest(posted.body, lowered, "", NOW * 1_000_000)


def said(name: str, **more: Any) -> list[tuple[What, str]]:
    facts = READ(request(EVENTS.posted([EVENTS.event(LETTER, name, NOW - 5, **more)], NOW)))
    assert {fact.notification for fact in facts} <= {NOTIFICATION}
    assert {fact.at for fact in facts} <= {(NOW - 5) * 1_000_000}
    return [(fact.what, fact.reason) for fact in facts]


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("processed", {}, [(What.ACCEPTED, "message-1")]),
        ("deferred", {"response": "400 try again later", "attempt": "5"}, []),
        ("delivered", {"response": "250 OK"}, [(What.DELIVERED, "message-1")]),
        ("open", {"useragent": "Mozilla/4.0"}, []),
        ("click", {"url": "https://status.acme.example"}, []),
        ("bounce", {"type": "bounce", "status": "5.1.1", "reason": "no kim@customer.example here"}, [(What.UNREACHABLE, "bounced: 5.1.1")]),
        ("bounce", {"reason": "500 unknown recipient"}, [(What.UNREACHABLE, "bounced")]),
        (
            "bounce",
            {"type": "bounce", "status": "5.0.0", "bounce_classification": "Invalid Address"},
            [(What.UNREACHABLE, "bounced: 5.0.0, Invalid Address")],
        ),
        ("bounce", {"type": "blocked", "status": "4.7.1"}, [(What.UNREACHED, "blocked: 4.7.1")]),
        ("bounce", {"type": "blocked", "status": "kim@customer.example"}, [(What.UNREACHED, "blocked")]),
        ("dropped", {"reason": "Bounced Address"}, [(What.UNREACHABLE, "dropped by SendGrid: bounced address")]),
        ("dropped", {"reason": "Invalid"}, [(What.UNREACHABLE, "dropped by SendGrid: invalid")]),
        (
            "dropped",
            {"reason": "Unsubscribed Address"},
            [(What.FAILED, "dropped by SendGrid: unsubscribed address"), (What.LEFT, "dropped by SendGrid: unsubscribed address")],
        ),
        (
            "dropped",
            {"reason": "Spam Reporting Address"},
            [
                (What.FAILED, "dropped by SendGrid: spam reporting address"),
                (What.COMPLAINED, "dropped by SendGrid: spam reporting address"),
            ],
        ),
        ("dropped", {"reason": "Spam Content: kim@customer.example"}, [(What.FAILED, "dropped by SendGrid")]),
        ("dropped", {}, [(What.FAILED, "dropped by SendGrid")]),
        ("unsubscribe", {}, [(What.LEFT, "unsubscribed at SendGrid")]),
        ("group_unsubscribe", {"asm_group_id": 10}, [(What.LEFT, "unsubscribed at SendGrid")]),
        ("group_resubscribe", {"asm_group_id": 10}, [(What.RETURNED, "subscribed again at SendGrid")]),
        ("spamreport", {}, [(What.COMPLAINED, "reported as spam")]),
        ("account_status_change", {"type": "compliance_suspend"}, []),
        ("something new", {}, []),
    ],
)  # fmt: skip
def test_what_an_event_says(name: str, more: dict[str, Any], expected: list[tuple[What, str]]) -> None:
    assert said(name, **more) == expected


def test_every_event_of_the_documentation_is_in_the_table_above() -> None:
    text = (Path(__file__).parents[3] / "docs" / "channels.md").read_text("utf-8")
    table = text.partition("| SendGrid's event |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    meaning = {
        ("sent, which ends a doubt", ""): [What.ACCEPTED],
        ("", ""): [],
        ("delivered", ""): [What.DELIVERED],
        ("failed", "bounced"): [What.UNREACHABLE],
        ("failed", ""): [What.FAILED],
        ("failed", "counts as failing"): [What.UNREACHED],
        ("failed", "opted out"): [What.FAILED, What.LEFT],
        ("failed", "complained"): [What.FAILED, What.COMPLAINED],
        ("", "opted out"): [What.LEFT],
        ("", "complained"): [What.COMPLAINED],
        ("", "told again"): [What.RETURNED],
    }
    assert len(rows) > 8
    for events, notification, subscriber in rows:
        names = [name for name in re.findall(r"`([a-z_]+)`", events) if name != "blocked"]
        reasons = events.partition(": ")[2].split(", ") if ": " in events else [""]
        for name in names:
            for reason in reasons:
                kind = "blocked" if "`blocked`" in events else "bounce"
                assert [what for what, _ in said(name, reason=reason, type=kind)] == meaning[notification, subscriber]


def test_an_event_of_sendgrids_own_tests_is_taken() -> None:
    """The vector of the official libraries: a key, and what SendGrid once signed with it."""
    key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
    event = {
        "email": "hello@world.com",
        "event": "dropped",
        "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "timestamp": 1600112492,
    }
    body = (json.dumps([event], sort_keys=True, separators=(",", ":")) + "\r\n").encode()
    headers = {
        "x-twilio-email-event-webhook-signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
        "x-twilio-email-event-webhook-timestamp": "1600112502",
    }
    read = KIND.open(Opening("email", "", {"event_key": key}))
    assert read(ReceiptRequest(body, headers, "", 1_600_112_502_000_000)) == []
    with pytest.raises(NotAuthenticError):
        read(ReceiptRequest(body.strip(), headers, "", 1_600_112_502_000_000))


# --- who says it ---


def posted(at: int = NOW) -> Posted:
    return EVENTS.posted([EVENTS.event(LETTER, "delivered", NOW)], at)


@pytest.mark.parametrize("seconds", [0, 299, 300, -300])
def test_a_signature_is_good_for_five_minutes(seconds: int) -> None:
    assert len(READ(request(posted(NOW - seconds)))) == 1


@pytest.mark.parametrize("seconds", [301, -301, 86_400, NOW])
def test_and_not_for_longer(seconds: int) -> None:
    assert FRESH == 300 * 1_000_000
    with pytest.raises(NotAuthenticError, match="last 5 minutes"):
        READ(request(posted(NOW - seconds)))


@pytest.mark.parametrize("stamp", ["", "now", "-5", "1.5", "9" * 400, f" {NOW}", f"{NOW}\n", "\u0661"])
def test_a_signed_time_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(NotAuthenticError):
        READ(request(EVENTS.signed(posted().body, stamp)))


def test_what_another_signed_is_refused() -> None:
    other = Events()
    with pytest.raises(NotAuthenticError, match="wrong"):
        READ(request(other.posted([other.event(LETTER, "bounce", NOW)], NOW)))


def test_what_is_changed_on_the_way_is_refused() -> None:
    good = posted()
    forged = Posted(good.body.replace(b"delivered", b"processed"), good.headers)
    for made in (request(forged), request(good, **{"X-Twilio-Email-Event-Webhook-Timestamp": str(NOW - 1)})):
        with pytest.raises(NotAuthenticError, match="wrong"):
            READ(made)


@pytest.mark.parametrize("signature", ["", "x", "ä", "====", "AAAA", "A" * 4000])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(NotAuthenticError):
        READ(request(posted(), **{"X-Twilio-Email-Event-Webhook-Signature": signature}))


def test_without_headers_nothing_is_taken() -> None:
    with pytest.raises(NotAuthenticError, match="missing"):
        READ(ReceiptRequest(posted().body, {}, "", NOW * 1_000_000))


def test_a_key_is_not_shown() -> None:
    assert EVENTS.public_key not in repr(Opening("email", "", {"event_key": EVENTS.public_key}))


# --- what nobody expects ---


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[[]]", b"null", b"[", b"\xff\xfe", b"[" * 100_000])
def test_what_is_signed_and_no_list_of_events_is_not_understood(body: bytes) -> None:
    with pytest.raises((NotUnderstoodError, NotAuthenticError)):
        READ(request(EVENTS.signed(body, NOW)))


def test_mails_of_others_are_passed_over() -> None:
    others = Letter("kim@customer.example", "s", "t", "h", {}, {}, "m")
    assert READ(request(EVENTS.posted([EVENTS.event(others, "bounce", NOW)], NOW))) == []


def test_without_an_id_of_its_own_an_event_is_known_by_what_it_says() -> None:
    events = [EVENTS.event(LETTER, name, NOW, sg_event_id=None, timestamp=None) for name in ("processed", "delivered")]
    assert READ(request(EVENTS.posted(events, NOW))) == [
        Fact(NOTIFICATION, What.ACCEPTED, "message-1", NOW * 1_000_000, f"{NOTIFICATION} processed"),
        Fact(NOTIFICATION, What.DELIVERED, "message-1", NOW * 1_000_000, f"{NOTIFICATION} delivered"),
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20), st.lists, max_leaves=3
)
names = st.sampled_from(
    ["event", "notification", "type", "reason", "status", "timestamp", "sg_event_id", "sg_message_id"]
)
words = st.sampled_from(
    ["processed", "delivered", "bounce", "dropped", "blocked", "spamreport", "Invalid", "kim@customer.example"]
)


@given(st.lists(st.dictionaries(names, values | words), max_size=5))
def test_whatever_is_signed_is_read_and_tells_no_address(events: list[dict[str, Any]]) -> None:
    for fact in READ(request(EVENTS.posted(events, NOW))):
        assert "@" not in fact.reason
        assert 0 < fact.at < 2**60
        assert fact.key

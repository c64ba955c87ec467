"""Text messages from end to end: an operator adds a number, or its owner by a code; Twilio is silent and reports later; STOP ends it, START renews it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.smtp import FakeSmtpServer
from tests.fakes.vendors.http import Reset
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.twilio import ACCOUNT, SENDER, TOKEN, Twilio, callback
from tests.parts.processes import wait_for
from tests.parts.tocsin import Tocsin, example_with

NUMBER, OTHER = "+4915112345678", "+4915112345679"
RECEIPTS = "/receipts/acme/twilio"


@pytest.fixture
def twilio() -> Iterator[VendorServer[Twilio]]:
    with VendorServer(Twilio()) as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[FakeSmtpServer]:
    with FakeSmtpServer() as running:
        yield running


@pytest.fixture
def tocsin(twilio: VendorServer[Twilio], mailbox: FakeSmtpServer, tmp_path: Path) -> Iterator[Tocsin]:
    with Tocsin(tmp_path, configuration(twilio), {"SMTP_URL": mailbox.url}) as running:
        yield running


def configuration(twilio: VendorServer[Twilio]) -> str:
    """Return the example with text messages."""
    sms = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from": SENDER,
        "countries": ["DE"],
        "base_url": twilio.url,
        "callbacks": "${PAGE_URL}" + RECEIPTS,
    }
    return example_with(channels={"sms": sms})


def added(tocsin: Tocsin, address: str = NUMBER, by: str | None = "ops", **changes: Any) -> int:
    return tocsin.post("subscribers", {"channel": "sms", "address": address, **changes}, by=by).status_code


def opened(tocsin: Tocsin, title: str) -> str:
    incident = {
        "title": title,
        "body": "We are looking into it.",
        "status": "investigating",
        "affects": [{"component": "api", "region": "eu", "status": "major_outage"}],
    }
    answer = tocsin.post("incidents", incident, by="ops")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def state_of(tocsin: Tocsin, incident: str) -> str:
    found = [each["state"] for each in tocsin.deliveries(incident) if each["channel"] == "sms"]
    return str(found[0]) if found else ""


def reported(tocsin: Tocsin, form: dict[str, str], url: str, key: str = TOKEN) -> int:
    """Let Twilio post a form to an address that it was given."""
    request = callback(url, form, key)
    return tocsin.http.post(url, content=request.raw, headers=request.headers).status_code


def test_a_callback_ends_the_doubt_and_stop_ends_the_subscription(tocsin: Tocsin, twilio: VendorServer[Twilio]) -> None:
    assert added(tocsin) == added(tocsin, by=None) == 400, "an operator has to vouch"
    assert added(tocsin, "+43 664 1234567", confirmed=True) == 400, "a country that is not allowed"
    assert added(tocsin, "+49 151 12345678", confirmed=True) == 201

    twilio.misbehave(Reset())
    incident = opened(tocsin, "API errors")
    wait_for("the doubt", lambda: state_of(tocsin, incident) == "in_doubt")
    [text] = twilio.vendor.texts
    assert text["To"] == NUMBER
    assert text["Body"].startswith("Acme Cloud: Investigating: API errors\nWe are looking into it.")

    address, sid = text["StatusCallback"], f"SM{1:032x}"
    said = {"MessageSid": sid, "To": NUMBER}
    assert reported(tocsin, said | {"MessageStatus": "sent"}, address, key="another") == 401
    assert reported(tocsin, said | {"MessageStatus": "sent"}, address) == 204
    wait_for("the proof that it was taken", lambda: state_of(tocsin, incident) == "sent")
    assert reported(tocsin, said | {"MessageStatus": "delivered"}, address) == 204
    wait_for("its arrival", lambda: state_of(tocsin, incident) == "delivered")
    assert reported(tocsin, said | {"MessageStatus": "sending"}, address) == 204

    answered = {"MessageSid": "SM" + "b" * 32, "SmsStatus": "received", "From": NUMBER, "To": SENDER, "Body": "Stop"}
    assert reported(tocsin, answered, tocsin.url + RECEIPTS) == 204
    assert added(tocsin, OTHER, confirmed=True) == 201
    done = {"body": "It is mended.", "status": "resolved"}
    assert tocsin.post(f"incidents/{incident}/updates", done, by="ops").status_code == 201
    another = opened(tocsin, "Logins are lost")
    wait_for("what the other is told", lambda: state_of(tocsin, another) == "sent")
    told = [each["To"] for each in twilio.vendor.texts]
    assert told.count(OTHER) >= 1
    assert told.count(NUMBER) == 1, "who said STOP is sent nothing more"
    assert "delivered" in {each["state"] for each in tocsin.deliveries(incident)}

    again = answered | {"MessageSid": "SM" + "c" * 32, "Body": "start"}
    assert reported(tocsin, again, tocsin.url + RECEIPTS) == 204
    assert reported(tocsin, answered, tocsin.url + RECEIPTS) == 204, "the STOP once more, late"
    opened(tocsin, "Payments fail")
    wait_for("what START brings", lambda: [each["To"] for each in twilio.vendor.texts].count(NUMBER) == 2)


def test_a_number_that_does_not_exist_is_not_tried_again(tocsin: Tocsin, twilio: VendorServer[Twilio]) -> None:
    assert added(tocsin, confirmed=True) == 201
    incident = opened(tocsin, "API errors")
    [text] = (request.form for request in twilio.wait_for(1))
    failed = {"MessageSid": f"SM{1:032x}", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": NUMBER}
    wait_for("what was sent", lambda: state_of(tocsin, incident) == "sent")
    assert reported(tocsin, failed, text["StatusCallback"][0]) == 204
    wait_for("the failure", lambda: state_of(tocsin, incident) == "failed")
    [delivery] = [each for each in tocsin.deliveries(incident) if each["channel"] == "sms"]
    assert delivery["reason"] == "Twilio's code 30005: the phone is unknown"
    assert NUMBER not in str(tocsin.deliveries(incident))
    kinds = [event["type"] for event in tocsin.events()]
    assert kinds.count("EndpointSuppressed") == 1


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=[pytest.mark.kafka, pytest.mark.redis])])
def either(
    request: pytest.FixtureRequest, twilio: VendorServer[Twilio], mailbox: FakeSmtpServer, tmp_path: Path
) -> Iterator[Tocsin]:
    """Run one engine or the other."""
    if request.param == "embedded":
        yield request.getfixturevalue("tocsin")
        return
    from tests.parts.fleet import ROLES, Fleet
    from tests.parts.kafka import shared_broker
    from tests.parts.redis import new_redis

    environment, roles = {"SMTP_URL": mailbox.url}, (*ROLES, ("delivery", "sms"))
    with (
        new_redis(tmp_path) as redis,
        Fleet(tmp_path, configuration(twilio), environment, shared_broker().servers, redis.url, roles) as running,
    ):
        yield running


def test_whose_mail_address_is_confirmed_adds_a_number_by_the_code_that_it_is_sent(
    either: Tocsin, twilio: VendorServer[Twilio], mailbox: FakeSmtpServer
) -> None:
    assert either.http.post("/subscribe", data={"channel": "sms", "address": NUMBER}).status_code == 400
    reader = {"email": "reader@example.com", "cells": [{"component": "api"}], "confirmed": True}
    assert either.post("subscribers", reader, by="ops").status_code == 201
    either.http.post("/manage", data={"email": "reader@example.com"})
    [mail] = mailbox.wait_for(1)
    [link] = set(re.findall(r"(/manage/\S+)", mail.text()))
    wait_for("the fold", lambda: f'action="{link}/phone"' in either.http.get(link).text)
    for refused in ("+43 664 1234567", "+49 900 1234567", "+49 180 1234567", "+49 30 901820", "0151 12345678"):
        assert either.http.post(f"{link}/phone", data={"phone": refused}).status_code == 400, refused
    asked = either.http.post(f"{link}/phone", data={"phone": "+49 151 12345678"})
    assert asked.status_code == 303
    form = either.http.get(asked.headers["location"])
    assert f'action="{asked.headers["location"]}"' in form.text
    [text] = (request.form for request in twilio.wait_for(1))
    [code] = re.findall(r"^(\d{6}) is your code to subscribe to Acme Cloud", text["Body"][0])
    assert (text["To"], text["ValidityPeriod"]) == ([NUMBER], ["600"])
    assert "http" not in text["Body"][0]

    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert either.http.post(asked.headers["location"], data={"code": wrong}).status_code == 400
    incident = opened(either, "Nobody hears of it by phone")
    added_now = either.http.post(asked.headers["location"], data={"code": code}, follow_redirects=True)
    assert "Your number is added" in added_now.text
    assert state_of(either, incident) == ""
    another = opened(either, "API errors")
    wait_for("the message", lambda: state_of(either, another) == "sent")
    assert "API errors" in twilio.vendor.texts[-1]["Body"]
    assert len(twilio.vendor.texts) == 2
    assert code not in str(either.events()) + either.printed()
    assert NUMBER not in str(either.events()) + either.printed()

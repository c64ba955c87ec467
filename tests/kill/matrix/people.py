"""Mail and telephones: one message for one person, by a mail server, SendGrid or Twilio."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.smtp import FakeSmtpServer
from tests.fakes.vendors import sendgrid as sg
from tests.fakes.vendors import twilio as tw
from tests.fakes.vendors.sendgrid_events import Events
from tests.fakes.vendors.server import VendorServer
from tests.kill.matrix.outside import Arrival, Outside, Report, Road, servers, violations
from tests.parts.tocsin import PAGE

_FROM = "Acme Status <status@acme.example>"
_READERS = [f"reader-{number}@customer.example" for number in range(3)]
_NUMBERS = [f"+4915112345{number}" for number in (671, 672, 673)]
_EVENTS, _TEXTS, _CALLS = (f"/receipts/{PAGE}/{kind}" for kind in ("sendgrid", "twilio", "twilio-voice"))


@contextmanager
def email(**settings: Any) -> Iterator[Outside]:
    """A mail server: what it took is in three people's inboxes, each as often as it took it."""
    with FakeSmtpServer() as server:
        yield Outside(
            settings={"via": server.url, "from": _FROM, **settings},
            addresses=_READERS,
            arrived=lambda: [Arrival(mail.recipients[0], mail.text()) for mail in list(server.mails)],
            complaints=lambda: list(server.violations),
            repeats=True,
        )


@contextmanager
def email_again() -> Iterator[Outside]:
    """The same where what is in doubt is sent again."""
    with email(resend_in_doubt=True) as outside:
        yield outside


@contextmanager
def sendgrid() -> Iterator[Outside]:
    """SendGrid, with one request for all three; it says nothing later."""
    with servers(sg.SendGrid()) as [server]:
        yield _sendgrid(server, {})


@contextmanager
def sendgrid_events() -> Iterator[Outside]:
    """The same with its Event Webhook, which brings everything twice."""
    events = Events()

    def reports(page: str) -> list[Report]:
        now = int(time.time())
        told = [
            events.event(letter, name, now) for letter in server.vendor.letters for name in ("processed", "delivered")
        ]
        posted = events.posted(told, now)
        return [Report(page + _EVENTS, posted.body, posted.headers)] * 2

    with servers(sg.SendGrid()) as [server]:
        yield _sendgrid(server, {"event_key": events.public_key}, reports=reports)


def _sendgrid(server: VendorServer[sg.SendGrid], settings: dict[str, Any], **more: Any) -> Outside:
    return Outside(
        settings={"sendgrid": {"api_key": sg.KEY, "api": server.url, **settings}, "from": _FROM},
        addresses=_READERS,
        arrived=lambda: [Arrival(letter.to, letter.text) for letter in list(server.vendor.letters)],
        complaints=violations([server]),
        **more,
    )


@contextmanager
def sms() -> Iterator[Outside]:
    """Twilio's messages to three phones; it can be asked, and says nothing by itself."""
    with servers(tw.Twilio()) as [server]:
        yield _phones(server, {})


@contextmanager
def sms_callbacks() -> Iterator[Outside]:
    """The same with status callbacks: of each message two, the later one first, and both again."""

    def reports(page: str) -> list[Report]:
        found = []
        for number, text in enumerate(list(server.vendor.texts), 1):
            for status in ("delivered", "sent", "delivered", "sent"):
                said = {"MessageSid": f"SM{number:032x}", "To": text["To"], "MessageStatus": status}
                request = tw.callback(text["StatusCallback"], said)
                found.append(Report(text["StatusCallback"], request.raw, request.headers))
        return found

    with servers(tw.Twilio()) as [server]:
        yield _phones(server, {"callbacks": "${PAGE_URL}" + _TEXTS}, reports=reports)


@contextmanager
def voice_callbacks() -> Iterator[Outside]:
    """Calls with status callbacks, the last one first, and both again."""

    def reports(page: str) -> list[Report]:
        found = []
        for number, call in enumerate(list(server.vendor.calls), 1):
            for status in ("completed", "initiated", "completed", "initiated"):
                request = tw.callback(
                    call["StatusCallback"], {"CallSid": f"CA{number:032x}", "To": call["To"], "CallStatus": status}
                )
                found.append(Report(call["StatusCallback"], request.raw, request.headers))
        return found

    with servers(tw.Twilio()) as [server]:
        yield _phones(server, {"callbacks": "${PAGE_URL}" + _CALLS}, reports=reports)


@contextmanager
def voice() -> Iterator[Outside]:
    """Twilio's calls to three phones."""
    with servers(tw.Twilio()) as [server]:
        yield _phones(server, {})


def _phones(server: VendorServer[tw.Twilio], settings: dict[str, Any], **more: Any) -> Outside:
    return Outside(
        settings={
            "account_sid": tw.ACCOUNT,
            "auth_token": tw.TOKEN,
            "from": tw.SENDER,
            "countries": ["DE"],
            "base_url": server.url,
            "ask_after": 1,
            **settings,
        },
        addresses=_NUMBERS,
        arrived=lambda: [
            Arrival(one["To"], one.get("Body", "") + one.get("Twiml", ""))
            for one in (*server.vendor.texts, *server.vendor.calls)
        ],
        complaints=violations([server]),
        **more,
    )


ROADS = (
    Road("email", "email", email),
    Road("email (resend_in_doubt)", "email", email_again),
    Road("email (SendGrid)", "email", sendgrid),
    Road("email (SendGrid, events)", "email", sendgrid_events),
    Road("sms", "sms", sms),
    Road("sms (callbacks)", "sms", sms_callbacks),
    Road("voice", "voice", voice),
    Road("voice (callbacks)", "voice", voice_callbacks),
)

"""Mail by SendGrid, against a server as strict as SendGrid: one text for many, and what every answer means for each of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channel import Message
from consumers.delivery.channels.email import EmailSettings, SendGridEmailChannel, SendGridSettings
from consumers.delivery.channels.email_sendgrid import SendGridMails, _batches, _Letter
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.sendgrid import SendGridApi
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.settings import Secret
from schemas.vocabulary import Kind
from tests.fakes.vendors.http import Hang, Misbehaviour, Reply, Reset, json_reply
from tests.fakes.vendors.matrix import PROVIDER, try_all
from tests.fakes.vendors.sendgrid import KEY, SendGrid
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import NOTICE, message, notice

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENT, SHORT = 10.0, 0.4


@pytest.fixture
def vendor() -> Iterator[VendorServer[SendGrid]]:
    with VendorServer(SendGrid()) as running:
        yield running


@asynccontextmanager
async def channel(
    vendor: VendorServer[SendGrid], *, timeout: float = PATIENT, key: str = KEY, connections: int = 4
) -> AsyncIterator[SendGridEmailChannel]:
    provider = SendGridSettings(api_key=Secret(key), api=vendor.url)
    settings = EmailSettings(sendgrid=provider, sender="Acme Status <status@acme.example>", connections=connections)
    made = SendGridEmailChannel(settings, ChannelContext(lambda: NOW), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


async def send(vendor: VendorServer[SendGrid], *messages: Message, timeout: float = PATIENT) -> Sequence[Outcome]:
    async with channel(vendor, timeout=timeout) as email:
        return await email.send_all(messages)


def people(count: int) -> list[Message]:
    return [
        message(
            address=f"kim{n}@customer.example", unsubscribe_url=f"https://status.acme.example/unsubscribe/{n}?a=1&b=2"
        )
        for n in range(count)
    ]


# --- what arrives ---


async def test_a_mail_arrives(vendor: VendorServer[SendGrid]) -> None:
    sent = message()
    async with channel(vendor) as email:
        assert await email.send(sent) == Sent(receipt="message-1")
    [letter] = vendor.vendor.letters
    assert (letter.to, letter.subject) == ("kim@customer.example", "[Acme Cloud] Investigating: API errors in Europe")
    assert "Some **requests** fail." in letter.text
    assert "<strong>requests</strong>" in letter.html
    assert sent.unsubscribe_url in letter.text
    assert sent.unsubscribe_url.replace("&", "&amp;") in letter.html
    assert letter.headers == {
        "Auto-Submitted": "auto-generated",
        "List-Id": "<status.acme.example>",
        "References": f"<{NOTICE.subject_id}@acme.example>",
        "In-Reply-To": f"<{NOTICE.subject_id}@acme.example>",
        "Precedence": "bulk",
        "Message-ID": f"<{sent.notification}@acme.example>",
        "X-Tocsin-Notification": sent.notification,
        "List-Unsubscribe": f"<{sent.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    [request] = vendor.accepted
    assert request.json["from"] == {"email": "status@acme.example", "name": "Acme Status"}
    assert set(request.json["tracking_settings"]) >= {"click_tracking", "open_tracking", "subscription_tracking"}
    assert not any(each["enable"] for each in request.json["tracking_settings"].values())


async def test_a_confirmation_holds_its_link_and_no_other(vendor: VendorServer[SendGrid]) -> None:
    about = notice(kind=Kind.CONFIRMATION, status="pending", title="Acme Cloud", body="", promise_at=None)
    link = "https://status.acme.example/confirm/t0ken?a=1&b=2"
    assert await send(vendor, message(about, confirm_url=link, unsubscribe_url="")) == [Sent("message-1")]
    [letter] = vendor.vendor.letters
    assert link in letter.text
    assert link.replace("&", "&amp;") in letter.html
    assert "List-Unsubscribe" not in letter.headers


async def test_a_thousand_people_are_one_request_and_each_gets_a_mail_of_their_own(
    vendor: VendorServer[SendGrid],
) -> None:
    messages = people(1000)
    assert await send(vendor, *messages) == [Sent("message-1")] * 1000
    assert len(vendor.requests) == 1
    assert [letter.to for letter in vendor.vendor.letters] == [one.endpoint.address for one in messages]
    for letter, sent in zip(vendor.vendor.letters, messages, strict=True):
        assert letter.custom_args["notification"] == letter.headers["X-Tocsin-Notification"] == sent.notification
        assert letter.headers["List-Unsubscribe"] == f"<{sent.unsubscribe_url}>"
        assert letter.text.count(sent.unsubscribe_url) == 1
        assert "tocsin" not in letter.text.lower().replace("x-tocsin", "")
    assert len({letter.custom_args["attempt"] for letter in vendor.vendor.letters}) == 1


async def test_an_address_is_in_a_request_once(vendor: VendorServer[SendGrid]) -> None:
    twice = [message(address="Kim@customer.example", notification="0" * 56), *people(2)]
    again = message(address="kim@customer.example", notification="1" * 56)
    outcomes = await send(vendor, *twice, again)
    assert outcomes[0] == outcomes[1] == outcomes[2] != outcomes[3]
    assert all(isinstance(one, Sent) for one in outcomes)
    assert sorted(len(request.json["personalizations"]) for request in vendor.accepted) == [1, 3]


async def test_what_says_something_else_is_another_request(vendor: VendorServer[SendGrid]) -> None:
    other = notice(update="another", title="Slow logins")
    messages = [
        message(),
        message(address="a@customer.example", over=True),
        message(address="b@customer.example", drill=True),
        message(other, address="c@customer.example"),
        message(address="d@customer.example"),
        message(address="e@customer.example", unsubscribe_url=""),
    ]
    outcomes = await send(vendor, *messages)
    assert all(isinstance(one, Sent) for one in outcomes)
    assert len(vendor.accepted) == 5
    receipts = {letter.to: letter.message_id for letter in vendor.vendor.letters}
    assert [one.receipt for one in outcomes if isinstance(one, Sent)] == [
        receipts[each.endpoint.address] for each in messages
    ], "each outcome is that of its own message"
    subjects = {letter.to: letter.subject for letter in vendor.vendor.letters}
    assert "drill" in subjects["b@customer.example"].lower()
    assert "Slow logins" in subjects["c@customer.example"]


addresses = st.sampled_from([f"{name}@customer.example" for name in ("a", "A", "b", "c", "d")])
notices = st.sampled_from([NOTICE, notice(update="another"), notice(title="another title")])


@given(st.lists(st.tuples(addresses, notices, st.booleans()), max_size=30))
def test_requests_part_messages_without_losing_or_mixing_any(chosen: list[tuple[str, msgspec.Struct, bool]]) -> None:
    letters = [_Letter(message(about, address=to, over=over), to) for to, about, over in chosen]  # type: ignore[arg-type]
    batches = _batches(letters)
    assert sorted(map(id, letters)) == sorted(id(one) for batch in batches for one in batch)
    for batch in batches:
        assert len({one.to.lower() for one in batch}) == len(batch)
        assert len({(one.message.notice.title, one.message.notice.update, one.message.over) for one in batch}) == 1
        assert batch == [one for one in letters if any(one is each for each in batch)], "in their order"


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        ("kim@münchen.example", Sent("message-1")),
        ("kím@customer.example", Rejected(Scope.RECIPIENT, "SendGrid takes only mailbox names in ASCII")),
        ("nobody", Rejected(Scope.RECIPIENT, "not an email address")),
    ],
)
async def test_addresses(vendor: VendorServer[SendGrid], address: str, outcome: Outcome) -> None:
    known, unknown = people(1)[0], message(address=address)
    assert await send(vendor, unknown, known) == [outcome, Sent("message-1")]
    found = {letter.to for letter in vendor.vendor.letters}
    assert found == {"kim0@customer.example"} | ({"kim@xn--mnchen-3ya.example"} if isinstance(outcome, Sent) else set())


async def test_a_link_that_fits_into_no_header_fails_its_own_message(vendor: VendorServer[SendGrid]) -> None:
    broken = message(unsubscribe_url="https://status.acme.example/\r\nBcc: all@customer.example")
    refused, sent = await send(vendor, broken, people(1)[0])
    assert refused == Rejected(Scope.MESSAGE, "the value for List-Unsubscribe does not fit into a header")
    assert isinstance(sent, Sent)


# --- how it fails ---

OURS = PROVIDER | {"accepted, body cut": "sent"}
"""A good answer has no body."""


async def test_every_way_to_fail(vendor: VendorServer[SendGrid]) -> None:
    async with channel(vendor, timeout=SHORT) as email:
        await try_all(email, message(), vendor, OURS)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 7)}, timedelta(seconds=7)),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) - 7)}, timedelta()),
        ({"X-RateLimit-Reset": "99999999999"}, timedelta(days=1)),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Reset": "9" * 400}, None),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 7), "Retry-After": "3"}, timedelta(seconds=3)),
    ],
)
async def test_a_limit_says_when_it_is_lifted(
    vendor: VendorServer[SendGrid], headers: dict[str, str], wait: timedelta | None
) -> None:
    vendor.misbehave(Reply(429, headers))
    assert await send(vendor, message()) == [Retry("answered 429", wait)]


async def test_an_account_that_is_not_known_pauses_the_channel(vendor: VendorServer[SendGrid]) -> None:
    async with channel(vendor, key="SG.another") as email:
        assert await email.send_all(people(3)) == [Rejected(Scope.CHANNEL, "answered 401")] * 3
    assert len(vendor.forgive()) == 1


@pytest.mark.parametrize("how", [Hang(), Reset(), Reset(after=20, hard=False)], ids=str)
async def test_silence_puts_all_of_a_request_in_doubt(vendor: VendorServer[SendGrid], how: Misbehaviour) -> None:
    vendor.misbehave(how)
    outcomes = await send(vendor, *people(20), timeout=SHORT)
    assert len(outcomes) == 20
    assert all(isinstance(one, InDoubt) for one in outcomes)
    assert len(vendor.requests) == 1, "what is in doubt is not sent again by itself"
    assert len(vendor.vendor.mails) == 20


@pytest.mark.parametrize("answer", [Reply(200), Reply(202), Reply(204)], ids=lambda answer: str(answer.status))
async def test_an_answer_that_sendgrid_does_not_give_is_a_doubt(vendor: VendorServer[SendGrid], answer: Reply) -> None:
    vendor.misbehave(answer)
    assert await send(vendor, message()) == [InDoubt(f"answered {answer.status}, and not as SendGrid does")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(vendor: VendorServer[SendGrid], status: int) -> None:
    vendor.misbehave(Reply(status, {"Location": f"{vendor.url}/elsewhere"}))
    assert await send(vendor, message()) == [Rejected(Scope.CHANNEL, f"answered {status}")]
    assert [request.path for request in vendor.requests] == ["/v3/mail/send"]


# --- a request that is refused because of some ---

ADDRESS = "personalizations.{}.to.0.email"


@pytest.mark.parametrize(
    ("field", "outcome", "requests"),
    [
        (ADDRESS, Rejected(Scope.RECIPIENT, "answered 400 at personalizations.to"), 2),
        ("personalizations.{}.to", Rejected(Scope.RECIPIENT, "answered 400 at personalizations.to"), 2),
        ("personalizations.{}.headers", Rejected(Scope.MESSAGE, "answered 400 at personalizations.headers"), 2),
        (None, Rejected(Scope.MESSAGE, "answered 400"), 15),
        ("personalizations", Rejected(Scope.MESSAGE, "answered 400"), 15),
        ("no field: Kim <kim@customer.example>", Rejected(Scope.MESSAGE, "answered 400"), 15),
    ],
)
async def test_the_one_that_is_to_blame_is_found(
    vendor: VendorServer[SendGrid], field: str | None, outcome: Outcome, requests: int
) -> None:
    messages = people(100)
    vendor.vendor.unwanted = {"kim67@customer.example": field}
    outcomes = await send(vendor, *messages)
    assert outcomes[67] == outcome
    assert all(isinstance(one, Sent) for index, one in enumerate(outcomes) if index != 67)
    assert len(vendor.requests) <= requests
    assert sorted(letter.to for letter in vendor.vendor.letters) == sorted(
        one.endpoint.address for index, one in enumerate(messages) if index != 67
    ), "each once"


async def test_several_are_to_blame(vendor: VendorServer[SendGrid]) -> None:
    guilty = {3, 500, 501, 999}
    vendor.vendor.unwanted = {f"kim{n}@customer.example": ADDRESS if n % 2 else None for n in guilty}
    outcomes = await send(vendor, *people(1000))
    assert {index for index, one in enumerate(outcomes) if isinstance(one, Rejected)} == guilty
    assert len(vendor.vendor.letters) == 996


async def test_taking_apart_has_an_end(vendor: VendorServer[SendGrid]) -> None:
    vendor.vendor.unwanted = {f"kim{n}@customer.example": None for n in range(1000)}
    outcomes = await send(vendor, *people(1000))
    assert len(vendor.requests) <= 40
    assert {type(one) for one in outcomes} == {Rejected, Retry}
    assert vendor.vendor.letters == []


async def test_a_fault_that_all_share_is_not_looked_for_in_one(vendor: VendorServer[SendGrid]) -> None:
    vendor.vendor.unwanted = {"kim3@customer.example": "content.0.value"}
    assert await send(vendor, *people(10)) == [Rejected(Scope.MESSAGE, "answered 400 at content.0.value")] * 10
    assert len(vendor.requests) == 1


async def test_what_is_too_large_is_halved(vendor: VendorServer[SendGrid]) -> None:
    vendor.misbehave(Reply(413))
    outcomes = await send(vendor, *people(10))
    assert all(isinstance(one, Sent) for one in outcomes)
    assert [len(request.json["personalizations"]) for request in vendor.requests] == [10, 5, 5]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors": {}}', b'{"errors": [1, {"field": 2}]}'])
async def test_a_refusal_without_a_reason_is_one_too(vendor: VendorServer[SendGrid], body: bytes) -> None:
    vendor.misbehave(Reply(400, {}, body))
    assert await send(vendor, message()) == [Rejected(Scope.MESSAGE, "answered 400")]


async def test_a_part_may_fail_in_another_way_than_the_rest(vendor: VendorServer[SendGrid]) -> None:
    for how in (Reply(400), Reply(503), None):
        vendor.misbehave(how)
    outcomes = await send(vendor, *people(10))
    assert outcomes == [Retry("answered 503")] * 5 + [Sent("message-1")] * 5


# --- bounds ---


async def test_nothing_new_is_begun_once_a_call_has_taken_too_long(vendor: VendorServer[SendGrid]) -> None:
    """With one connection that is silent, others wait for a while and then have certainly not been sent."""
    vendor.misbehave(Hang(accepts=False), times=None)
    messages = [message(notice(update=str(n)), address=f"kim{n}@customer.example") for n in range(10)]
    async with channel(vendor, timeout=0.2, connections=1) as email:
        outcomes = await email.send_all(messages)
    vendor.misbehave(None, times=None)
    doubtful = [one for one in outcomes if isinstance(one, InDoubt)]
    assert 1 <= len(doubtful) == len(vendor.requests) < 10
    assert set(outcomes) - set(doubtful) == {Retry("no connection became free")}


async def test_a_part_of_a_refused_request_waits_once_time_is_up(vendor: VendorServer[SendGrid]) -> None:
    api = SendGridApi(KEY, vendor.url, PATIENT, lambda: NOW)
    sender = Address(addr_spec="status@acme.example")
    mails = SendGridMails(api, sender, "acme.example", connections=1, timeout=0.0)
    assert await mails.send([(message(), "kim@customer.example")]) == [Retry("no time was left for it")]
    await mails.close()
    assert vendor.requests == []


async def test_many_send_at_once(vendor: VendorServer[SendGrid]) -> None:
    async with channel(vendor) as email:
        outcomes = await asyncio.gather(*(email.send(one) for one in people(30)))
    assert sorted(one.receipt for one in outcomes if isinstance(one, Sent)) == sorted(
        f"message-{n}" for n in range(1, 31)
    )
    assert len({request.headers["authorization"] for request in vendor.requests}) == 1


async def test_neither_key_nor_address_is_logged(
    vendor: VendorServer[SendGrid], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.vendor.unwanted = {"kim0@customer.example": ADDRESS}
    vendor.misbehave(json_reply(403, {"errors": [{"message": f"{KEY} kim1@customer.example", "field": "from"}]}))
    outcomes = [*await send(vendor, *people(2)), *await send(vendor, *people(2))]
    said = caplog.text + repr(outcomes)
    assert KEY not in said
    assert "customer.example" not in said

"""Every way in which handing in a mail can end, over real sockets: before the final dot a retry, after it a doubt."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.email import EmailChannel, EmailSettings
from consumers.delivery.net.smtp import Envelope, SmtpServer, SmtpTransport, Timeouts
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.settings import Secret
from tests.fakes.smtp import Action, Cut, Delay, Drop, FakeSmtpServer, Hang, Refuse
from tests.fakes.vendors.matrix import word_of
from tests.unit.delivery.channels.conftest import Tls
from tests.unit.delivery.channels.messages import message

SHORT = Timeouts(connect=1.0, command=0.5, final=0.5)
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 996 + b"\r\n") * 20_000
"""More than the buffers of two sockets hold."""
PATIENT = Timeouts(connect=10.0, command=10.0, final=10.0)


@pytest.fixture
def server() -> Iterator[FakeSmtpServer]:
    with FakeSmtpServer() as running:
        yield running


@asynccontextmanager
async def channel(
    server: FakeSmtpServer, *, timeouts: Timeouts = PATIENT, context: Any = None, **settings: Any
) -> AsyncIterator[EmailChannel]:
    given = EmailSettings(via=Secret(server.url), sender="Acme Status <status@acme.example>", **settings)
    made = EmailChannel(given, timeouts=timeouts, context=context)
    try:
        yield made
    finally:
        await made.close()


async def send(server: FakeSmtpServer, what: Message | None = None, **options: Any) -> Outcome:
    async with channel(server, **options) as email:
        return await email.send(what or message())


async def test_a_mail_arrives(server: FakeSmtpServer) -> None:
    sent = message()
    assert await send(server, sent) == Sent(receipt="2.0.0 queued as 1")
    [mail] = server.wait_for(1)
    assert server.violations == []
    assert (mail.sender, mail.recipients) == ("status@acme.example", ("kim@customer.example",))
    assert mail.notification == sent.notification
    assert mail.message["To"] == "kim@customer.example"


@pytest.mark.parametrize(
    ("phase", "reply", "outcome"),
    [
        ("CONNECT", "421 4.3.2 closing", Retry("421 at connect")),
        ("CONNECT", "554 5.3.2 no service", Rejected(Scope.CHANNEL, "554 at connect")),
        ("EHLO", "451 later", Retry("451 at connect")),
        ("EHLO", "550 go away", Rejected(Scope.CHANNEL, "550 at connect")),
        ("MAIL", "451 4.3.0 later", Retry("451 at mail: 4.3.0 later")),
        ("MAIL", "421 4.3.2 closing", Retry("421 at mail: 4.3.2 closing")),
        ("MAIL", "550 5.7.1 bad sender", Rejected(Scope.CHANNEL, "550 at mail: 5.7.1 bad sender")),
        ("RCPT", "450 4.2.1 greylisted", Retry("450 at rcpt: 4.2.1 greylisted", soft=True)),
        ("RCPT", "550 5.1.1 no such user", Rejected(Scope.RECIPIENT, "550 at rcpt: 5.1.1 no such user")),
        ("RCPT", "554 5.7.1 relay denied", Rejected(Scope.MESSAGE, "554 at rcpt: 5.7.1 relay denied")),
        ("DATA", "451 4.3.0 later", Retry("451 at data: 4.3.0 later")),
        ("DATA", "554 5.6.0 no", Rejected(Scope.MESSAGE, "554 at data: 5.6.0 no")),
        ("END", "452 4.3.1 disk full", Retry("452 at end of data: 4.3.1 disk full")),
        ("END", "554 5.7.1 spam", Rejected(Scope.MESSAGE, "554 at end of data: 5.7.1 spam")),
        ("END", "354 what", InDoubt("354 at end of data: what")),
    ],
)
async def test_what_a_refusal_means(server: FakeSmtpServer, phase: str, reply: str, outcome: Outcome) -> None:
    server.script(phase, Refuse(reply), times=1)
    async with channel(server) as email:
        assert await email.send(message()) == outcome
        assert server.mails == []
        assert isinstance(await email.send(message()), Sent), "the channel works on after a refusal"


@pytest.mark.parametrize("phase", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("action", [Drop(), Hang()], ids=["drop", "hang"])
async def test_trouble_before_the_message_is_a_retry(server: FakeSmtpServer, phase: str, action: Action) -> None:
    server.script(phase, action, times=1)
    async with channel(server, timeouts=SHORT) as email:
        assert isinstance(await email.send(message()), Retry)
        assert server.mails == []
    assert isinstance(await send(server), Sent)


@pytest.mark.parametrize("action", [Drop(keep=True), Drop(), Hang(keep=True), Hang()], ids=str)
async def test_silence_after_the_final_dot_is_a_doubt_and_nothing_is_sent_again(
    server: FakeSmtpServer, action: Action
) -> None:
    server.script("END", action)
    outcome = await send(server, timeouts=SHORT)
    assert isinstance(outcome, InDoubt)
    assert server.commands.count("END") == 1
    assert server.connections == 1


SMTP_WAYS: dict[str, tuple[Action | None, str]] = {
    "well": (None, "sent"),
    "too many": (Refuse("452 4.5.3 too many messages"), "retry"),
    "busy": (Refuse("421 4.3.2 closing"), "retry"),
    "refused": (Refuse("554 5.7.1 spam"), "message"),
    "accepted, refused for now": (Refuse("451 4.3.0 local error", keep=True), "retry"),
    "accepted, refused": (Refuse("554 5.3.0 local error", keep=True), "message"),
    "accepted, silence": (Hang(keep=True), "in doubt"),
    "accepted, closed": (Drop(keep=True), "in doubt"),
    "accepted, closed within the answer": (Cut(b"25", keep=True), "in doubt"),
    "accepted, closed within the line": (Cut(b"250 2.0.0 que", keep=True), "in doubt"),
    "silence": (Hang(), "in doubt"),
    "closed": (Drop(), "in doubt"),
    "another's words": (Refuse("not SMTP at all"), "in doubt"),
}
"""What a mail server may do once it has the whole mail, and how the attempt ends: the matrix of other vendors in SMTP's words.

A refusal cannot be told from one by a server that has kept the mail: RFC 5321 4.2.5 forbids that, and no client can see it.
"""


@pytest.mark.parametrize("name", SMTP_WAYS)
async def test_every_way_to_fail(server: FakeSmtpServer, name: str) -> None:
    action, ends = SMTP_WAYS[name]
    if action is not None:
        server.script("END", action)
    outcome = await send(server, timeouts=SHORT)
    assert word_of(outcome) == ends
    assert server.commands.count("END") == 1, "one call is one mail"
    kept = action is None or action.keep
    assert len(server.mails) == kept
    assert kept or not isinstance(outcome, Sent)


async def test_a_server_that_stops_reading_before_the_final_dot_is_a_retry(server: FakeSmtpServer) -> None:
    """The message is larger than what sockets buffer, so that it never leaves whole: the dot is not sent."""
    server.script("CONTENT", Hang())
    transport = SmtpTransport(SmtpServer.of_url(server.url), connections=1, timeouts=SHORT)
    outcome = await transport.send(Envelope("a@acme.example", "b@customer.example"), LARGE)
    await transport.close()
    assert isinstance(outcome, Retry)


async def test_a_connection_that_breaks_within_the_message_is_a_retry(server: FakeSmtpServer) -> None:
    server.script("CONTENT", Drop())
    transport = SmtpTransport(SmtpServer.of_url(server.url), connections=1, timeouts=PATIENT)
    outcome = await transport.send(Envelope("a@acme.example", "b@customer.example"), LARGE)
    await transport.close()
    assert isinstance(outcome, Retry)


async def test_a_slow_answer_to_the_final_dot_is_waited_for(server: FakeSmtpServer) -> None:
    server.script("END", Delay(1.0))
    patient = Timeouts(connect=1.0, command=0.5, final=10.0)
    assert isinstance(await send(server, timeouts=patient), Sent)


async def test_nobody_listening_is_a_retry(server: FakeSmtpServer) -> None:
    closed = EmailSettings(via=Secret("smtp://127.0.0.1:1"), sender="status@acme.example")
    outcome = await EmailChannel(closed, timeouts=SHORT).send(message())
    assert isinstance(outcome, Retry)


async def test_connections_are_reused_and_bounded(server: FakeSmtpServer) -> None:
    async with channel(server, connections=2) as email:
        outcomes = await asyncio.gather(*(email.send(message(address=f"kim{n}@customer.example")) for n in range(20)))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert len({mail.recipients for mail in server.wait_for(20)}) == 20
    assert server.connections == 2


async def test_one_recipient_who_is_refused_does_not_disturb_the_next(server: FakeSmtpServer) -> None:
    server.refuse_recipient("gone@customer.example", "550 5.1.1 no such user")
    async with channel(server, connections=1) as email:
        assert isinstance(await email.send(message(address="gone@customer.example")), Rejected)
        assert isinstance(await email.send(message(address="here@customer.example")), Sent)
    [mail] = server.wait_for(1)
    assert mail.recipients == ("here@customer.example",)
    assert server.connections == 1


async def test_an_idle_connection_that_the_server_closed_costs_nothing(server: FakeSmtpServer) -> None:
    async with channel(server, connections=1) as email:
        assert isinstance(await email.send(message()), Sent)
        await asyncio.to_thread(server.drop_connections)
        assert isinstance(await email.send(message()), Sent)
    assert server.connections == 2


@pytest.mark.parametrize("action", [Drop(), Refuse("421 4.4.2 idle for too long")], ids=["drop", "421"])
async def test_an_idle_connection_that_breaks_at_mail_is_replaced(server: FakeSmtpServer, action: Action) -> None:
    async with channel(server, connections=1) as email:
        assert isinstance(await email.send(message()), Sent)
        server.script("MAIL", action, times=1)
        assert isinstance(await email.send(message()), Sent)
    assert len(server.mails) == 2
    assert server.connections == 2


async def test_a_cancelled_mail_leaves_no_connection_in_the_middle_of_a_dialogue(server: FakeSmtpServer) -> None:
    server.script("RCPT", Hang(), times=1)
    async with channel(server, connections=1) as email:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(email.send(message()), 0.3)
        assert isinstance(await email.send(message()), Sent)
    assert server.connections == 2


async def test_words_of_the_server_are_kept_without_addresses(server: FakeSmtpServer) -> None:
    server.script("RCPT", Refuse("550 5.1.1 <kim@customer.example>: user Kim unknown (kim@customer.example)"))
    outcome = await send(server)
    assert isinstance(outcome, Rejected)
    assert "kim" not in outcome.reason.lower()
    assert "customer.example" not in outcome.reason
    assert outcome.reason.startswith("550 at rcpt: 5.1.1")


async def test_login(server: FakeSmtpServer) -> None:
    with FakeSmtpServer(accounts={"tocsin": "s3cret"}) as asking:
        assert isinstance(await send(asking), Sent)
        wrong = EmailSettings(via=Secret(asking.url.replace("s3cret", "wrong")), sender="status@acme.example")
        outcome = await EmailChannel(wrong).send(message())
        assert isinstance(outcome, Rejected)
        assert outcome.scope is Scope.CHANNEL
        none = EmailSettings(via=Secret(f"smtp://127.0.0.1:{asking.port}"), sender="status@acme.example")
        assert await EmailChannel(none).send(message()) == Rejected(
            Scope.CHANNEL, "530 at mail: 5.7.0 authentication required"
        )


async def test_a_login_that_the_server_does_not_offer_is_a_matter_of_the_channel(server: FakeSmtpServer) -> None:
    settings = EmailSettings(via=Secret(f"smtp://tocsin:s3cret@127.0.0.1:{server.port}"), sender="status@acme.example")
    outcome = await EmailChannel(settings).send(message())
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.CHANNEL
    assert "s3cret" not in outcome.reason


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
async def test_tls(tls: Tls, implicit: bool) -> None:
    with FakeSmtpServer(tls=tls.server, implicit=implicit, accounts={"tocsin": "s3cret"}) as server:
        assert isinstance(await send(server, context=tls.client), Sent)
        assert isinstance(await send(server), Retry), "a certificate that is not trusted"
    assert len(server.mails) == 1


async def test_starttls_is_required_where_it_is_asked_for(server: FakeSmtpServer) -> None:
    settings = EmailSettings(via=Secret(f"smtp+starttls://127.0.0.1:{server.port}"), sender="status@acme.example")
    outcome = await EmailChannel(settings).send(message())
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.CHANNEL


async def test_an_international_domain_travels_as_ascii(server: FakeSmtpServer) -> None:
    assert isinstance(await send(server, message(address="kim@bücher.example")), Sent)
    [mail] = server.wait_for(1)
    assert mail.recipients == ("kim@xn--bcher-kva.example",)


async def test_an_international_mailbox_needs_a_server_that_takes_it() -> None:
    with FakeSmtpServer() as able:
        assert isinstance(await send(able, message(address="jörg@bücher.example")), Sent)
        [mail] = able.wait_for(1)
        assert mail.recipients == ("jörg@bücher.example",)
        assert able.violations == []
    with FakeSmtpServer(smtputf8=False) as unable:
        outcome = await send(unable, message(address="jörg@bücher.example"))
        assert isinstance(outcome, Rejected)
        assert outcome.scope is Scope.RECIPIENT


async def test_an_address_that_is_none_is_never_put_on_the_wire(server: FakeSmtpServer) -> None:
    for address in ("", "kim", "kim@customer.example>\r\nRCPT TO:<eve@evil.example", "a@b@c.example"):
        assert isinstance(await send(server, message(address=address)), Rejected)
    assert server.commands == []


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [("kim@Customer.EXAMPLE", "kim@customer.example"), ("Jo\u0308rg@BÜCHER.example", "Jörg@bücher.example")],
)
def test_addresses_are_brought_into_one_form(server: FakeSmtpServer, typed: str, canonical: str) -> None:
    email = EmailChannel(EmailSettings(via=Secret(server.url), sender="status@acme.example"))
    assert email.validate(typed) == canonical
    assert email.mask("kim@customer.example") == "k***@customer.example"
    with pytest.raises(AddressError) as refused:
        email.validate("s3cret.person@")
    assert "s3cret" not in str(refused.value)


def test_a_doubt_is_sent_again_only_where_that_is_wanted(server: FakeSmtpServer) -> None:
    held = EmailChannel(EmailSettings(via=Secret(server.url), sender="status@acme.example"))
    resent = EmailChannel(EmailSettings(via=Secret(server.url), sender="status@acme.example", resend_in_doubt=True))
    assert (held.capabilities.idempotent, resent.capabilities.idempotent) == (False, True)

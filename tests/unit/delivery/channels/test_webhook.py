"""Every way in which a webhook can end, over real sockets, and what is on the wire."""

import base64
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from standardwebhooks import Webhook

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.webhook import WebhookChannel, new_secret
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard, Resolve, resolve
from consumers.delivery.net.post import ANSWER_LIMIT
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from schemas.vocabulary import Kind
from tests.fakes.vendors.matrix import HOOK as HOOK_ENDS
from tests.fakes.vendors.matrix import try_all
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.standard_receiver import HOOK, StandardReceiver
from tests.fakes.webhook import FakeWebhookReceiver, Flood, Hang, Reply, Reset
from tests.unit.delivery.channels.conftest import Tls
from tests.unit.delivery.channels.messages import message, notice

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = ip_network("127.0.0.0/8")


@pytest.fixture
def receiver() -> Iterator[FakeWebhookReceiver]:
    with FakeWebhookReceiver(secret=SECRET) as server:
        yield server


@asynccontextmanager
async def channel(*, resolver: Resolve = resolve, **options: Any) -> AsyncIterator[WebhookChannel]:
    made = WebhookChannel(Guard([LOOPBACK], resolver), ChannelContext(), **options)
    try:
        yield made
    finally:
        await made.close()


def to(receiver: FakeWebhookReceiver, **changes: Any) -> Message:
    return message(address=receiver.url, secret=SECRET, **changes)


async def send(what: Message, **options: Any) -> Outcome:
    async with channel(**options) as webhook:
        return await webhook.send(what)


async def test_a_signed_notice_arrives(receiver: FakeWebhookReceiver) -> None:
    sent = to(receiver)
    assert await send(sent) == Sent()
    [delivery] = receiver.wait_for(1)
    assert receiver.violations == []
    assert delivery.id == sent.notification
    assert delivery.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert delivery.body["type"] == "incident.updated"
    assert delivery.body["data"]["incident"]["title"] == "API errors in Europe"


async def test_the_id_is_constant_over_attempts_and_the_timestamp_is_the_attempts(
    receiver: FakeWebhookReceiver,
) -> None:
    clock = iter(datetime.now(UTC) + timedelta(seconds=n) for n in range(-200, 200, 10))
    webhook = WebhookChannel(Guard([LOOPBACK]), ChannelContext(now=lambda: next(clock)))
    receiver.script(Reply(503), times=1)
    assert isinstance(await webhook.send(to(receiver)), Retry)
    assert isinstance(await webhook.send(to(receiver)), Sent)
    await webhook.close()
    first, second = receiver.wait_for(2)
    assert first.id == second.id
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert first.raw == second.raw
    assert receiver.violations == []


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200, body=b"thanks"), Sent(reply=b"thanks")),
        (Reply(202), Sent()),
        (Reply(301, {"Location": "http://127.0.0.1:1/"}), Rejected(Scope.RECIPIENT, "answered 301")),
        (Reply(307, {"Location": "http://127.0.0.1:1/"}), Rejected(Scope.RECIPIENT, "answered 307")),
        (Reply(400), Rejected(Scope.MESSAGE, "answered 400")),
        (Reply(401), Rejected(Scope.MESSAGE, "answered 401")),
        (Reply(404), Rejected(Scope.RECIPIENT, "answered 404", gone=True)),
        (Reply(410), Rejected(Scope.RECIPIENT, "answered 410", gone=True)),
        (Reply(429, {"Retry-After": "7"}), Retry("answered 429", timedelta(seconds=7))),
        (Reply(500), Retry("answered 500")),
        (Reply(503, {"Retry-After": "later"}), Retry("answered 503")),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_what_an_answer_means(receiver: FakeWebhookReceiver, reply: Reply, outcome: Outcome) -> None:
    receiver.script(reply)
    assert await send(to(receiver)) == outcome
    assert len(receiver.wait_for(1)) == 1


async def test_a_redirect_to_an_internal_address_is_not_followed(receiver: FakeWebhookReceiver) -> None:
    with FakeWebhookReceiver() as internal:
        receiver.script(Reply(302, {"Location": internal.url}))
        assert await send(to(receiver)) == Rejected(Scope.RECIPIENT, "answered 302")
        assert internal.connections == 0


async def test_a_server_that_never_answers_leaves_doubt(receiver: FakeWebhookReceiver) -> None:
    receiver.script(Hang())
    assert await send(to(receiver), timeout=0.3) == InDoubt("no answer after the request had left")


@pytest.mark.parametrize("after", [0, 5, 20])
async def test_a_reset_before_the_status_is_whole_leaves_doubt(receiver: FakeWebhookReceiver, after: int) -> None:
    receiver.script(Reset(after=after))
    assert isinstance(await send(to(receiver)), InDoubt)


async def test_a_success_whose_body_is_cut_off_is_a_success(receiver: FakeWebhookReceiver) -> None:
    receiver.script(Reset(after=100, hard=False))
    outcome = await send(to(receiver))
    assert isinstance(outcome, Sent)
    assert set(outcome.reply) == set(b"x")


async def test_an_endless_answer_is_read_up_to_the_limit(receiver: FakeWebhookReceiver) -> None:
    receiver.script(Flood())
    outcome = await send(to(receiver))
    assert isinstance(outcome, Sent)
    assert len(outcome.reply) == ANSWER_LIMIT


async def test_nobody_listening_is_a_retry() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert await send(message(address=address, secret=SECRET)) == Retry("no connection")


async def test_a_name_that_does_not_resolve_is_a_retry() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    sent = message(address="https://gone.example/", secret=SECRET)
    assert await send(sent, resolver=unknown) == Retry("no connection")


async def test_a_server_that_takes_no_bytes_is_a_retry() -> None:
    """The connection waits in the backlog: TLS never begins, so no byte of the request can have left."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"https://127.0.0.1:{deaf.getsockname()[1]}/"
        assert await send(message(address=address, secret=SECRET), timeout=0.3) == Retry("no connection")


async def test_a_certificate_that_is_not_trusted_is_a_retry(tls: Tls) -> None:
    with FakeWebhookReceiver(secret=SECRET, tls=tls.server) as receiver:
        assert await send(to(receiver)) == Retry("no connection")
        assert receiver.deliveries == []


async def test_tls_keeps_the_name_while_the_checked_address_is_dialled(tls: Tls) -> None:
    async def pinned(host: str, port: int) -> list[str]:
        assert host == "receiver.example"
        return ["127.0.0.1"]

    with FakeWebhookReceiver(secret=SECRET, tls=tls.server) as receiver:
        sent = message(address=f"https://receiver.example:{receiver.port}/hook", secret=SECRET)
        assert await send(sent, resolver=pinned, tls=tls.client) == Sent()
        [delivery] = receiver.wait_for(1)
        assert delivery.headers["host"] == f"receiver.example:{receiver.port}"


async def test_rebinding_gains_nothing(receiver: FakeWebhookReceiver) -> None:
    """A name that is allowed when it is checked and internal a moment later is asked for once for each connection."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    receiver.script(Reply(204, {"Connection": "close"}))
    sent = message(address=f"http://rebinding.example:{receiver.port}/", secret=SECRET)
    async with channel(resolver=rebinding) as webhook:
        assert await webhook.send(sent) == Sent()
        assert asked == ["rebinding.example"]
        assert await webhook.send(sent) == Rejected(Scope.RECIPIENT, "the host is not a public address")
    assert receiver.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_without_leave_nothing_reaches_loopback(receiver: FakeWebhookReceiver, host: str) -> None:
    webhook = WebhookChannel(Guard(), ChannelContext())
    outcome = await webhook.send(message(address=f"http://{host}:{receiver.port}/hook", secret=SECRET))
    await webhook.close()
    assert isinstance(outcome, Rejected)
    assert outcome.scope is Scope.RECIPIENT
    assert receiver.connections == 0


async def test_proxies_of_the_environment_are_not_used(
    receiver: FakeWebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await send(to(receiver)) == Sent()


async def test_a_connection_is_reused(receiver: FakeWebhookReceiver) -> None:
    receiver.script(Reply(200, body=b"ok"))
    async with channel() as webhook:
        for n in range(5):
            assert isinstance(await webhook.send(to(receiver, notification=f"{n:032x}")), Sent)
    assert receiver.connections == 1
    assert receiver.accepted() == {f"{n:032x}": 1 for n in range(5)}


CONFIRMATION = notice(kind=Kind.CONFIRMATION, status="pending", affects=[], components=[])


@pytest.mark.parametrize("echo", ["json", "plain"])
async def test_an_echoed_challenge_confirms(receiver: FakeWebhookReceiver, echo: str) -> None:
    receiver.echo = echo
    outcome = await send(to(receiver, about=CONFIRMATION, token="t0ken"))
    assert isinstance(outcome, Sent)
    assert b"t0ken" in outcome.reply
    [delivery] = receiver.wait_for(1)
    assert delivery.body["type"] == "subscription.challenge"
    assert delivery.body["data"]["challenge"] == "t0ken"


@pytest.mark.parametrize(
    "body", [b"", b"other", b'{"challenge": "other"}', b'{"challenge": 1}', b"[]", b"\xff\xfe", b"{", b"[" * 60_000]
)
async def test_any_other_answer_to_a_challenge_does_not(receiver: FakeWebhookReceiver, body: bytes) -> None:
    receiver.echo = "none"
    receiver.script(Reply(200, body=body))
    outcome = await send(to(receiver, about=CONFIRMATION, token="t0ken"))
    assert outcome == Rejected(Scope.RECIPIENT, "the challenge was not echoed")


async def test_a_challenge_without_a_token_is_never_met(receiver: FakeWebhookReceiver) -> None:
    receiver.echo = "plain"
    assert isinstance(await send(to(receiver, about=CONFIRMATION, token="")), Rejected)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_A"])
async def test_an_unusable_secret_sends_nothing(receiver: FakeWebhookReceiver, secret: str) -> None:
    assert isinstance(await send(message(address=receiver.url, secret=secret)), Rejected)
    assert receiver.connections == 0


def test_a_new_secret_is_one_of_the_standards() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
        Webhook(secret)


def test_the_signature_is_that_of_the_standards_own_vector() -> None:
    at = datetime.fromtimestamp(1614265330, tz=UTC)
    signature = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_addresses_are_validated_and_masked() -> None:
    webhook = WebhookChannel(Guard(), ChannelContext())
    assert webhook.validate("https://Hooks.Example.com/T0/s3cret?k=v") == "https://hooks.example.com/T0/s3cret?k=v"
    assert webhook.mask("https://hooks.example.com:8443/T0/s3cret?k=v") == "https://hooks.example.com:8443/…"
    with pytest.raises(AddressError) as refused:
        webhook.validate("https://user:s3cret@hooks.example.com/")
    assert "s3cret" not in str(refused.value)


async def test_every_way_to_fail() -> None:
    # Only the status counts, whatever the body; and a secret that is not accepted any more condemns no receiver.
    expected = HOOK_ENDS | {"401": "message", "403": "message", "accepted, body cut": "sent", "another's page": "sent"}
    with VendorServer(StandardReceiver(SECRET)) as vendor:
        about = message(address=vendor.url + HOOK, secret=SECRET)
        async with channel(timeout=0.4) as webhook:
            await try_all(webhook, about, vendor, expected, risks=("accepted, 500", "another's page"))
        assert list(vendor.vendor.messages) == [about.notification], "all of it was one message"

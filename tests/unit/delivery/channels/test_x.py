"""What is posted on X, and how every attempt ends."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.x import XChannel, XSettings
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Scope, Sent
from consumers.delivery.settings import read
from schemas.vocabulary import IncidentStatus, Kind
from tests.fakes.vendors.http import Hang, Misbehaviour, Reply, Reset
from tests.fakes.vendors.matrix import PROVIDER, try_all, word_of
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.x import DUPLICATE, GONE, KEYS, X, problem
from tests.unit.delivery.channels.messages import message, notice
from tests.unit.delivery.pipeline import MINUTE, ScriptedChannel, pipeline

NOW = datetime(2026, 11, 22, 14, 31, tzinfo=UTC)
OTHER = {name: f"{key}2" for name, key in KEYS.items()}


@pytest.fixture
def vendor() -> Iterator[VendorServer[X]]:
    with VendorServer(X(KEYS, OTHER)) as server:
        yield server


def settings(api: str, **changes: Any) -> XSettings:
    return read(XSettings, {"accounts": {"AcmeStatus": KEYS, "acme_de": OTHER}, "api": api} | changes)


@asynccontextmanager
async def channel(vendor: VendorServer[Any], *, timeout: float = 10.0, **changes: Any) -> AsyncIterator[XChannel]:
    made = XChannel(settings(vendor.url, **changes), ChannelContext(lambda: NOW), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


async def send(vendor: VendorServer[Any], what: Message, **changes: Any) -> Outcome:
    async with channel(vendor, **changes) as x:
        return await x.send(what)


def to(address: str = "AcmeStatus", **changes: Any) -> Message:
    return message(address=address, **changes)


def texts(vendor: VendorServer[X]) -> list[str]:
    return [post["text"] for post in vendor.vendor.posts.values()]


async def test_a_post_arrives_signed_and_without_a_link(vendor: VendorServer[X]) -> None:
    outcome = await send(vendor, to())
    [(made, body)] = vendor.vendor.posts.items()
    assert outcome == Sent(made)
    assert set(body) == {"text"}
    assert body["text"].startswith("Investigating: API errors in Europe\n\nSome requests fail.")
    assert "http" not in body["text"]


async def test_the_link_is_an_option(vendor: VendorServer[X]) -> None:
    await send(vendor, to(), link=True)
    assert texts(vendor)[0].endswith(f"https://status.acme.example/incidents/{to().notice.subject_id}")


async def test_each_account_signs_with_its_own_keys(vendor: VendorServer[X]) -> None:
    assert isinstance(await send(vendor, to("AcmeStatus")), Sent)
    assert isinstance(await send(vendor, to("acme_de")), Sent)
    assert len(set(texts(vendor))) == 1
    assert len(vendor.vendor.posts) == 2


async def test_updates_of_an_incident_form_a_thread(vendor: VendorServer[X]) -> None:
    receipts: list[str] = []
    for status in (IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED):
        outcome = await send(vendor, to(about=notice(status=status), earlier=tuple(receipts)))
        assert isinstance(outcome, Sent)
        receipts.append(outcome.receipt)
    replies = [body.get("reply") for body in vendor.vendor.posts.values()]
    assert replies == [None, *({"in_reply_to_tweet_id": receipt} for receipt in receipts[:2])]


async def test_a_post_whose_predecessor_was_deleted_stands_by_itself(vendor: VendorServer[X]) -> None:
    first = await send(vendor, to())
    assert isinstance(first, Sent)
    vendor.vendor.delete(first.receipt)
    later = to(about=notice(status=IncidentStatus.RESOLVED), earlier=(first.receipt,))
    assert isinstance(await send(vendor, later), Sent)
    assert [set(body) for body in vendor.vendor.posts.values()] == [{"text"}]


@pytest.mark.parametrize("lost", [Hang(), Reset(), Reset(after=20), Reply(500, accepts=True), Reply(502, accepts=True)])
async def test_what_arrived_unanswered_is_there_once_and_known_to_be(
    vendor: VendorServer[X], lost: Misbehaviour
) -> None:
    vendor.misbehave(lost)
    assert isinstance(await send(vendor, to(), timeout=0.3), InDoubt)
    assert await send(vendor, to(in_doubt=True)) == Sent()
    assert len(vendor.vendor.posts) == 1


@pytest.mark.parametrize("lost", [Hang(accepts=False), Reset(accepts=False)])
async def test_what_did_not_arrive_is_posted_when_it_is_asked_again(
    vendor: VendorServer[X], lost: Misbehaviour
) -> None:
    vendor.misbehave(lost)
    assert isinstance(await send(vendor, to(), timeout=0.3), InDoubt)
    outcome = await send(vendor, to(in_doubt=True))
    [made] = vendor.vendor.posts
    assert outcome == Sent(made)


class Relay(ScriptedChannel):
    """Hands what the sender sends to a real channel."""

    def __init__(self, real: XChannel) -> None:
        super().__init__()
        self.capabilities = real.capabilities
        self._real = real

    async def send(self, message: Message) -> Outcome:
        return await self._real.send(message)


async def test_the_sender_finds_out_that_a_post_is_there(vendor: VendorServer[X]) -> None:
    async with channel(vendor, timeout=0.3) as real:
        with pipeline(Relay(real)) as made:
            made.subscribe("AcmeStatus")
            made.publish()
            vendor.misbehave(Hang())
            for expected in ("in_doubt", "sent"):
                await made.deliver()
                assert [state for _, state in made.states()] == [expected]
                made.now += MINUTE
            made.publish(IncidentStatus.RESOLVED)
            await made.deliver()
            assert [state for _, state in made.states()] == ["sent", "sent"]
    assert [text.partition(":")[0] for text in texts(vendor)] == ["Investigating", "Resolved"]


async def test_another_message_of_the_same_words_is_refused(vendor: VendorServer[X]) -> None:
    await send(vendor, to())
    outcome = await send(vendor, to(notification="another"))
    assert outcome == Rejected(Scope.MESSAGE, "the account has just said the same")


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (problem(403, DUPLICATE), "message"),
        (problem(403, "Your Tweet text is too long. For more information ..."), "message"),
        (problem(403, "Tweet needs to be a bit shorter."), "message"),
        (problem(403, GONE), "channel"),
        (problem(403, "You are not permitted to perform this action."), "channel"),
        (problem(401, "Unauthorized"), "channel"),
        (problem(402, "Your enrolled account does not have any credits to fulfill this request."), "channel"),
        (problem(400, "One or more parameters to your request was invalid."), "message"),
        (Reply(403, {"content-type": "application/json"}, b"[1]"), "channel"),
        (Reply(400, {"content-type": "application/json"}, b'"no"'), "message"),
        (problem(500, "Internal"), "in doubt"),
        (problem(502, "Bad Gateway"), "in doubt"),
        (problem(504, "Gateway Timeout"), "in doubt"),
        (problem(503, "Service Unavailable"), "retry"),
        (Reply(201, {"content-type": "application/json"}, b'{"data":{"id":"x"}}'), "in doubt"),
        (problem(429, "Too Many Requests"), "retry"),
        (problem(429, "", {"x-rate-limit-reset": str(int(NOW.timestamp()) + 40)}), "retry after 40 s"),
        (problem(429, "", {"x-rate-limit-reset": str(int(NOW.timestamp()) - 40)}), "retry after 0 s"),
        (problem(429, "", {"x-rate-limit-reset": "soon"}), "retry"),
        (problem(429, "", {"x-rate-limit-reset": "9" * 11}), "retry after 86400 s"),
        (problem(429, "", {"retry-after": "9"}), "retry after 9 s"),
    ],
)
async def test_what_x_says(vendor: VendorServer[X], reply: Reply, word: str) -> None:
    vendor.misbehave(reply)
    assert word_of(await send(vendor, to())) == word
    assert len(vendor.requests) == 1


async def test_the_limit_that_is_used_up_is_waited_for(vendor: VendorServer[X]) -> None:
    now = int(NOW.timestamp())
    headers = {
        "x-rate-limit-remaining": "99", "x-rate-limit-reset": str(now + 900),
        "x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": str(now + 7200),
    }  # fmt: skip
    vendor.misbehave(problem(429, "Too Many Requests", headers))
    assert word_of(await send(vendor, to())) == "retry after 7200 s"


async def test_every_way_to_fail() -> None:
    expected = PROVIDER | {"500": "in doubt", "502": "in doubt", "504": "in doubt", "accepted, 500": "in doubt"}
    with VendorServer(X(remembers=0)) as vendor:
        async with channel(vendor, timeout=0.4) as x:
            await try_all(x, to(), vendor, expected, risks=())


@pytest.mark.parametrize("kind", [Kind.CONFIRMATION, Kind.REMINDER])
async def test_what_is_not_for_the_public_is_not_posted(vendor: VendorServer[X], kind: Kind) -> None:
    outcome = await send(vendor, to(about=notice(kind=kind), confirm_url="https://status.acme.example/confirm/t"))
    assert outcome == Rejected(Scope.MESSAGE, "this is not for the public")
    assert vendor.requests == []


async def test_an_account_that_is_no_longer_in_the_settings_concerns_this_message_alone(
    vendor: VendorServer[X],
) -> None:
    outcome = await send(vendor, to("formerly"))
    assert outcome == Rejected(Scope.MESSAGE, "this account is not in the channel's settings")


async def test_addresses_are_the_handles_of_the_settings(vendor: VendorServer[X]) -> None:
    async with channel(vendor) as x:
        assert [x.validate(each) for each in ("AcmeStatus", "@acmestatus", " ACME_DE ")] == [
            "AcmeStatus", "AcmeStatus", "acme_de",
        ]  # fmt: skip
        assert x.mask("AcmeStatus") == "Ac…"
        for unknown in ("", "@", "somebody", "@@acmestatus"):
            with pytest.raises(AddressError):
                x.validate(unknown)


@pytest.mark.parametrize(
    "given",
    [
        {"accounts": {}},
        {"accounts": {"@acme": KEYS}},
        {"accounts": {"x" * 16: KEYS}},
        {"accounts": {"acme": KEYS, "ACME": KEYS}},
        {"accounts": {"acme": {"consumer_key": "k"}}},
        {"accounts": {"acme": KEYS | {"access_token": ""}}},
        {"accounts": {"acme": KEYS}, "api": "http://x.example"},
        {"accounts": {"acme": KEYS}, "api": "https://x.example/2"},
        {"accounts": {"acme": KEYS}, "api": "https://user:pw@x.example"},
        {"accounts": {"acme": KEYS}, "api": "https://x.example:99999"},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        read(XSettings, given)
    assert "12-at" not in str(refused.value)


def test_keys_cannot_print() -> None:
    assert not any(key in repr(settings("https://x.example")) for key in ("cs2", "12-at", "ats"))

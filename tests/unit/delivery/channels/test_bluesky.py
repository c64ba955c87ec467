"""What is posted on Bluesky, and how every attempt ends."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.bluesky import BlueskyChannel, BlueskySettings, measure, record_key
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Scope, Sent
from consumers.delivery.render.graphemes import clusters
from consumers.delivery.render.posts import post_of
from consumers.delivery.settings import read
from schemas.vocabulary import IncidentStatus, Kind
from tests.fakes.vendors.bluesky import COLLECTION, DID, HANDLE, LOGIN, PASSWORD, PUT, REFRESH, Bluesky, cid_of, refusal
from tests.fakes.vendors.http import Hang, Misbehaviour, Reply, Reset, Truncate
from tests.fakes.vendors.matrix import PROVIDER, try_all, word_of
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import message, notice

NOW = datetime(2026, 11, 22, 14, 31, tzinfo=UTC)


@pytest.fixture
def vendor() -> Iterator[VendorServer[Bluesky]]:
    with VendorServer(Bluesky()) as server:
        yield server


@asynccontextmanager
async def channel(vendor: VendorServer[Bluesky], *, timeout: float = 10.0) -> AsyncIterator[BlueskyChannel]:
    account = {"service": vendor.url, "app_password": PASSWORD}
    settings = read(BlueskySettings, {"accounts": {HANDLE: account}})
    made = BlueskyChannel(settings, ChannelContext(lambda: NOW), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


async def send(vendor: VendorServer[Bluesky], what: Message, **changes: Any) -> Outcome:
    async with channel(vendor, **changes) as bluesky:
        return await bluesky.send(what)


def to(address: str = HANDLE, **changes: Any) -> Message:
    return message(address=address, **changes)


def paths(vendor: VendorServer[Bluesky]) -> list[str]:
    return [request.path for request in vendor.requests]


async def test_a_post_is_a_record_whose_key_follows_from_the_notification(vendor: VendorServer[Bluesky]) -> None:
    what = to()
    outcome = await send(vendor, what)
    [(key, record)] = vendor.vendor.records.items()
    assert key == record_key(what)
    assert outcome == Sent(f"at://{DID}/{COLLECTION}/{key}|{cid_of(record)}")
    assert record["createdAt"] == "2026-11-22T14:30:00.000Z"
    assert record["text"].startswith("Investigating: API errors in Europe\n\nSome requests fail.")
    assert vendor.requests[-1].json["validate"] is True


async def test_the_link_is_one_where_it_lies_in_the_text(vendor: VendorServer[Bluesky]) -> None:
    what = to(about=notice(title="Störung 😀 #1 at @acme", body="日本語"))
    await send(vendor, what)
    [record] = vendor.vendor.records.values()
    [facet] = record["facets"]
    url = f"https://status.acme.example/incidents/{what.notice.subject_id}"
    assert facet["features"] == [{"$type": "app.bsky.richtext.facet#link", "uri": url}]
    index = facet["index"]
    assert record["text"].encode()[index["byteStart"] : index["byteEnd"]] == url.encode()


async def test_updates_of_an_incident_form_a_thread(vendor: VendorServer[Bluesky]) -> None:
    receipts: list[str] = []
    async with channel(vendor) as bluesky:
        for status in (IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED):
            what = to(about=notice(status=status), earlier=tuple(receipts), notification=status)
            outcome = await bluesky.send(what)
            assert isinstance(outcome, Sent)
            receipts.append(outcome.receipt)
    refs = [dict(zip(("uri", "cid"), receipt.split("|"), strict=True)) for receipt in receipts]
    replies = [
        record.get("reply") and {name: {key: ref[key] for key in ("uri", "cid")} for name, ref in record["reply"].items()
                                 if name != "$type"}
        for record in vendor.vendor.records.values()
    ]  # fmt: skip
    assert replies == [None, {"root": refs[0], "parent": refs[0]}, {"root": refs[0], "parent": refs[1]}]
    assert vendor.vendor.logins == 1


LOST = [Hang(), Reset(), Reset(after=20), Truncate(), Reply(500, accepts=True), Reply(503, accepts=True)]


@pytest.mark.parametrize("lost", LOST)
async def test_what_arrived_unanswered_is_there_once(vendor: VendorServer[Bluesky], lost: Misbehaviour) -> None:
    vendor.misbehave(None)  # the login
    vendor.misbehave(lost)
    first = await send(vendor, to(), timeout=0.3)
    assert word_of(first) in {"in doubt", "retry"}
    assert isinstance(await send(vendor, to(in_doubt=isinstance(first, InDoubt))), Sent)
    assert len(vendor.vendor.records) == 1
    assert vendor.vendor.writes == 1


async def test_a_session_is_kept(vendor: VendorServer[Bluesky]) -> None:
    async with channel(vendor) as bluesky:
        for n in range(3):
            assert isinstance(await bluesky.send(to(notification=str(n))), Sent)
    assert paths(vendor) == [LOGIN, PUT, PUT, PUT]


async def test_a_session_that_is_over_is_made_anew_once(vendor: VendorServer[Bluesky]) -> None:
    async with channel(vendor) as bluesky:
        await bluesky.send(to())
        vendor.vendor.expire()
        assert isinstance(await bluesky.send(to(notification="another")), Sent)
    assert paths(vendor) == [LOGIN, PUT, PUT, LOGIN, PUT]
    assert len(vendor.vendor.records) == 2


async def test_a_session_that_is_about_to_end_is_renewed_without_a_login() -> None:
    with VendorServer(Bluesky(lifetime=timedelta(minutes=1))) as vendor:
        async with channel(vendor) as bluesky:
            assert isinstance(await bluesky.send(to()), Sent)
            vendor.vendor.lifetime = timedelta(hours=2)  # of what is made from now on
            assert isinstance(await bluesky.send(to(notification="another")), Sent)
            vendor.vendor.expire()
            assert isinstance(await bluesky.send(to(notification="third")), Sent)
        assert paths(vendor) == [LOGIN, REFRESH, PUT, REFRESH, PUT, PUT, LOGIN, PUT]


async def test_a_session_that_is_never_accepted_stops_the_channel(vendor: VendorServer[Bluesky]) -> None:
    for how in (None, refusal(401, "AuthenticationRequired"), None, refusal(400, "ExpiredToken")):
        vendor.misbehave(how)
    outcome = await send(vendor, to())
    assert outcome == Rejected(Scope.CHANNEL, "a new session is not accepted either")


@pytest.mark.parametrize(
    ("how", "word"),
    [
        (refusal(401, "AuthenticationRequired", "Invalid identifier or password"), "channel"),
        (refusal(401, "AuthFactorTokenRequired"), "channel"),
        (refusal(401, "AccountTakedown"), "channel"),
        (refusal(400, "InvalidRequest"), "channel"),
        (
            refusal(429, "RateLimitExceeded", "", {"ratelimit-reset": str(int(NOW.timestamp()) + 600)}),
            "retry after 600 s",
        ),
        (refusal(500, "InternalServerError"), "retry"),
        (Hang(), "retry"),
        (Reset(), "retry"),
        (Truncate(), "retry"),
        (Reply(200, {"content-type": "text/html"}, b"<html>"), "retry"),
        (Reply(307, {"location": "/elsewhere"}), "channel"),
    ],
)
async def test_a_login_that_fails_has_posted_nothing(
    vendor: VendorServer[Bluesky], how: Misbehaviour, word: str
) -> None:
    vendor.misbehave(how)
    async with channel(vendor, timeout=0.4) as bluesky:
        assert word_of(await bluesky.send(to())) == word
        assert len(vendor.requests) == 1
        assert isinstance(await bluesky.send(to()), Sent)


async def test_a_password_that_is_not_accepted(vendor: VendorServer[Bluesky]) -> None:
    vendor.vendor.password = "changed"
    assert await send(vendor, to()) == Rejected(Scope.CHANNEL, "the login is refused")


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (refusal(400, "InvalidRequest", "Invalid app.bsky.feed.post record"), "message"),
        (refusal(400, "AccountDeactivated"), "channel"),
        (refusal(401, "AccountTakedown"), "channel"),
        (refusal(403, "Forbidden"), "channel"),
        (refusal(404, "XRPCNotSupported"), "channel"),
        (refusal(413, "PayloadTooLarge"), "message"),
        (refusal(429, "RateLimitExceeded"), "retry"),
        (refusal(429, "", "", {"ratelimit-reset": str(int(NOW.timestamp()) + 40)}), "retry after 40 s"),
        (refusal(429, "", "", {"ratelimit-reset": "9" * 11}), "retry after 86400 s"),
        (refusal(429, "", "", {"retry-after": "9"}), "retry after 9 s"),
        (refusal(502, "UpstreamFailure"), "retry"),
        (refusal(503, "NotEnoughResources"), "retry"),
        (Reply(200, {"content-type": "application/json"}, b"{}"), "in doubt"),
        (Reply(400, {"content-type": "application/json"}, b"[1]"), "message"),
    ],
)
async def test_what_a_server_says(vendor: VendorServer[Bluesky], reply: Reply, word: str) -> None:
    vendor.misbehave(None)
    vendor.misbehave(reply)
    assert word_of(await send(vendor, to())) == word
    assert paths(vendor) == [LOGIN, PUT]


async def test_every_way_to_fail(vendor: VendorServer[Bluesky]) -> None:
    async with channel(vendor, timeout=0.4) as bluesky:
        await bluesky.send(to())
        await try_all(bluesky, to(), vendor, PROVIDER | {"401": "sent"}, requests={"401": 3})


@pytest.mark.parametrize("kind", [Kind.CONFIRMATION, Kind.REMINDER])
async def test_what_is_not_for_the_public_is_not_posted(vendor: VendorServer[Bluesky], kind: Kind) -> None:
    outcome = await send(vendor, to(about=notice(kind=kind), confirm_url="https://status.acme.example/confirm/t"))
    assert outcome == Rejected(Scope.MESSAGE, "this is not for the public")
    assert vendor.requests == []


async def test_addresses_are_the_handles_of_the_settings(vendor: VendorServer[Bluesky]) -> None:
    assert isinstance(await send(vendor, to("formerly.acme.example")), Rejected)
    async with channel(vendor) as bluesky:
        assert bluesky.validate("@Status.acme.example") == HANDLE
        assert bluesky.mask(HANDLE) == "st…"
        for unknown in ("", "status", "other.acme.example"):
            with pytest.raises(AddressError):
                bluesky.validate(unknown)


@given(st.text(max_size=400), st.text(st.sampled_from("👩‍👧e\u0301日本 "), max_size=2000))
def test_every_post_fits(title: str, body: str) -> None:
    text = post_of(message(notice(title=title, body=body)), 300, measure)
    assert clusters(text) <= 300
    assert len(text.encode()) <= 3000


@given(st.text(max_size=40), st.integers(-(2**62), 2**62))
def test_a_key_is_a_tid_and_always_the_same(identifier: str, published: int) -> None:
    what = message(notice(published_at=published), notification=identifier)
    assert re.fullmatch("[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}", record_key(what))
    assert record_key(what) == record_key(what)


def test_keys_of_a_second_differ_and_sort_by_seconds() -> None:
    keys = {record_key(message(notification=str(n))) for n in range(5000)}
    assert len(keys) == 5000
    later = record_key(message(notice(published_at=notice().published_at + 1_000_000)))
    assert all(key < later for key in keys)


GOOD = {"app_password": PASSWORD}


@pytest.mark.parametrize(
    "given",
    [
        {"accounts": {}},
        {"accounts": {"status": GOOD}},
        {"accounts": {"@" + HANDLE: GOOD}},
        {"accounts": {HANDLE: GOOD | {"service": "http://bsky.example"}}},
        {"accounts": {HANDLE: GOOD | {"service": "https://bsky.example/xrpc"}}},
        {"accounts": {HANDLE: {}}},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        read(BlueskySettings, given)
    assert PASSWORD not in str(refused.value)

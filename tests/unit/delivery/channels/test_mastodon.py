"""What is posted on Mastodon, and how every attempt ends."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.mastodon import KEY_REMEMBERED, MastodonChannel, MastodonSettings
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Scope, Sent
from consumers.delivery.settings import read
from schemas.vocabulary import IncidentStatus, Kind
from tests.fakes.vendors.http import Hang, Misbehaviour, Reply, Reset, Truncate
from tests.fakes.vendors.mastodon import TOKEN, Mastodon, official_length, refusal
from tests.fakes.vendors.matrix import PROVIDER, try_all, word_of
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import message, notice

NOW = datetime(2026, 11, 22, 14, 31, tzinfo=UTC)
HANDLE = "status@acme.example"


@pytest.fixture
def vendor() -> Iterator[VendorServer[Mastodon]]:
    with VendorServer(Mastodon()) as server:
        yield server


@asynccontextmanager
async def channel(
    vendor: VendorServer[Mastodon], *, timeout: float = 10.0, now: datetime = NOW, **changes: Any
) -> AsyncIterator[MastodonChannel]:
    account = {"server": vendor.url, "access_token": TOKEN} | changes
    settings = read(MastodonSettings, {"accounts": {HANDLE: account}})
    made = MastodonChannel(settings, ChannelContext(lambda: now), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


async def send(vendor: VendorServer[Mastodon], what: Message, **changes: Any) -> Outcome:
    async with channel(vendor, **changes) as mastodon:
        return await mastodon.send(what)


def to(address: str = HANDLE, **changes: Any) -> Message:
    return message(address=address, **changes)


async def test_a_post_arrives_under_its_notifications_id(vendor: VendorServer[Mastodon]) -> None:
    what = to()
    outcome = await send(vendor, what)
    [(made, form)] = vendor.vendor.posts.items()
    assert outcome == Sent(made)
    assert vendor.requests[0].headers["idempotency-key"] == what.notification
    assert form["visibility"] == "public"
    assert "in_reply_to_id" not in form
    assert form["status"].startswith("Investigating: API errors in Europe\n\nSome requests fail.")
    assert form["status"].endswith(f"https://status.acme.example/incidents/{what.notice.subject_id}")


async def test_visibility_and_length_are_the_accounts(vendor: VendorServer[Mastodon]) -> None:
    long = notice(body="Some requests fail. " * 500)
    await send(vendor, to(about=long), visibility="unlisted", limit=100)
    [form] = vendor.vendor.posts.values()
    assert form["visibility"] == "unlisted"
    assert official_length(form["status"]) <= 100
    vendor.vendor.posts.clear()
    await send(vendor, to(about=long, notification="another"))
    [form] = vendor.vendor.posts.values()
    assert 450 < official_length(form["status"]) <= 500


async def test_updates_of_an_incident_form_a_thread(vendor: VendorServer[Mastodon]) -> None:
    receipts: list[str] = []
    for status in (IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED):
        what = to(about=notice(status=status), earlier=tuple(receipts), notification=status)
        outcome = await send(vendor, what)
        assert isinstance(outcome, Sent)
        receipts.append(outcome.receipt)
    replies = [form.get("in_reply_to_id") for form in vendor.vendor.posts.values()]
    assert replies == [None, *receipts[:2]]


async def test_a_post_whose_predecessor_was_deleted_stands_by_itself(vendor: VendorServer[Mastodon]) -> None:
    outcome = await send(vendor, to(earlier=("115",)))
    [(made, form)] = vendor.vendor.posts.items()
    assert outcome == Sent(made)
    assert "in_reply_to_id" not in form


LOST = [Hang(), Reset(), Reset(after=20), Truncate(), Reply(500, accepts=True), Reply(503, accepts=True)]


@pytest.mark.parametrize("lost", LOST)
async def test_what_arrived_unanswered_is_there_once(vendor: VendorServer[Mastodon], lost: Misbehaviour) -> None:
    vendor.misbehave(lost)
    first = await send(vendor, to(), timeout=0.3)
    assert word_of(first) in {"in doubt", "retry"}
    [made] = vendor.vendor.posts
    assert await send(vendor, to(in_doubt=isinstance(first, InDoubt))) == Sent(made)
    assert len(vendor.vendor.posts) == 1


PUBLISHED = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
LATE = PUBLISHED + KEY_REMEMBERED + timedelta(seconds=1)


def posted(vendor: VendorServer[Mastodon]) -> int:
    return sum(request.method == "POST" for request in vendor.requests)


async def test_until_its_key_may_be_forgotten_what_is_in_doubt_is_sent_again_and_then_it_is_looked_for(
    vendor: VendorServer[Mastodon],
) -> None:
    vendor.misbehave(Hang())
    await send(vendor, to(), timeout=0.3)
    [made] = vendor.vendor.posts
    assert await send(vendor, to(in_doubt=True), now=PUBLISHED + KEY_REMEMBERED) == Sent(made)
    assert posted(vendor) == 2
    assert await send(vendor, to(in_doubt=True), now=LATE) == Sent(made)
    assert (posted(vendor), len(vendor.vendor.posts)) == (2, 1)


@pytest.mark.parametrize(
    "body", ["It is <b>down</b> & we know.\n\nSee https://acme.example/a/rather/long/path?q=1.", "It is\ndown: @all"]
)
async def test_a_post_is_recognised_however_the_server_writes_it(vendor: VendorServer[Mastodon], body: str) -> None:
    sent = await send(vendor, to(about=notice(body=body)))
    assert isinstance(sent, Sent)
    assert await send(vendor, to(about=notice(body=body), in_doubt=True), now=LATE) == sent
    other = await send(vendor, to(about=notice(body="Something else."), in_doubt=True), now=LATE)
    assert other == InDoubt("the server has forgotten the key, and the account does not show it")


async def test_what_was_posted_before_or_is_known_as_another_is_not_this_one(vendor: VendorServer[Mastodon]) -> None:
    vendor.vendor.now = PUBLISHED - timedelta(minutes=3)
    await send(vendor, to())
    assert isinstance(await send(vendor, to(in_doubt=True), now=LATE), InDoubt)
    vendor.vendor.now = PUBLISHED
    earlier = await send(vendor, msgspec.structs.replace(to(), notification="another"))
    assert isinstance(earlier, Sent)
    known = to(in_doubt=True, earlier=(earlier.receipt,))
    assert isinstance(await send(vendor, known, now=LATE), InDoubt)
    assert posted(vendor) == 2


async def test_what_only_followers_see_is_looked_for_with_a_token_that_may_read(vendor: VendorServer[Mastodon]) -> None:
    sent = await send(vendor, to(), visibility="private")
    late = to(in_doubt=True)
    refused = await send(vendor, late, visibility="private", now=LATE)
    assert refused == InDoubt("the server has forgotten the key; asked, the server answered 403")
    assert vendor.violations == ["This action is outside the authorized scopes"]
    vendor.violations.clear()
    vendor.vendor.reads = True
    assert await send(vendor, late, visibility="private", now=LATE) == sent


@pytest.mark.parametrize(
    "ailment",
    [Reply(500), Reply(404), refusal(429, "Too many requests"), Hang(), Reset(), Truncate(), Reply(200, {}, b"{}")],
)
@pytest.mark.parametrize("nth", [0, 1])
async def test_a_server_that_cannot_be_asked_leaves_the_doubt(
    vendor: VendorServer[Mastodon], ailment: Misbehaviour, nth: int
) -> None:
    await send(vendor, to())
    for how in (None, ailment)[1 - nth :]:
        vendor.misbehave(how)
    late = await send(vendor, to(in_doubt=True), now=LATE, timeout=0.3)
    assert isinstance(late, InDoubt)
    assert "forgotten the key" in late.reason
    assert (posted(vendor), TOKEN in late.reason) == (1, False)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (refusal(401, "The access token was revoked"), "channel"),
        (refusal(403, "This action is outside the authorized scopes"), "channel"),
        (refusal(404, "Record not found"), "channel"),
        (refusal(422, "Validation failed: Text character limit of 500 exceeded"), "message"),
        (refusal(500, "Something went wrong"), "retry"),
        (refusal(503, "There was a temporary problem"), "retry"),
        (refusal(429, "Too many requests"), "retry"),
        (refusal(429, "", {"x-ratelimit-reset": "2026-11-22T14:35:00.123Z"}), "retry after 240 s"),
        (refusal(429, "", {"x-ratelimit-reset": "2026-11-22T14:00:00Z"}), "retry after 0 s"),
        (refusal(429, "", {"x-ratelimit-reset": "2126-11-22T14:00:00Z"}), "retry after 86400 s"),
        (refusal(429, "", {"x-ratelimit-reset": "2026-11-22T14:35:00"}), "retry"),
        (refusal(429, "", {"retry-after": "9"}), "retry after 9 s"),
        (Reply(200, {"content-type": "application/json"}, b"{}"), "in doubt"),
        (Reply(422, {"content-type": "application/json"}, b"[1]"), "message"),
    ],
)
async def test_what_a_server_says(vendor: VendorServer[Mastodon], reply: Reply, word: str) -> None:
    vendor.misbehave(reply)
    assert word_of(await send(vendor, to())) == word
    assert len(vendor.requests) == 1


async def test_every_way_to_fail(vendor: VendorServer[Mastodon]) -> None:
    async with channel(vendor, timeout=0.4) as mastodon:
        await try_all(mastodon, to(), vendor, PROVIDER)


@pytest.mark.parametrize("kind", [Kind.CONFIRMATION, Kind.REMINDER])
async def test_what_is_not_for_the_public_is_not_posted(vendor: VendorServer[Mastodon], kind: Kind) -> None:
    outcome = await send(vendor, to(about=notice(kind=kind), confirm_url="https://status.acme.example/confirm/t"))
    assert outcome == Rejected(Scope.MESSAGE, "this is not for the public")
    assert vendor.requests == []


async def test_addresses_are_the_handles_of_the_settings(vendor: VendorServer[Mastodon]) -> None:
    assert isinstance(await send(vendor, to("formerly@acme.example")), Rejected)
    async with channel(vendor) as mastodon:
        assert mastodon.validate("@Status@acme.example") == HANDLE
        assert mastodon.mask(HANDLE) == "st…@acme.example"
        for unknown in ("", "status", "status@elsewhere.example"):
            with pytest.raises(AddressError):
                mastodon.validate(unknown)


GOOD = {"server": "https://acme.example", "access_token": TOKEN}


@pytest.mark.parametrize(
    "given",
    [
        {"accounts": {}},
        {"accounts": {"status": GOOD}},
        {"accounts": {HANDLE: GOOD | {"server": "http://acme.example"}}},
        {"accounts": {HANDLE: GOOD | {"server": "acme.example"}}},
        {"accounts": {HANDLE: GOOD | {"visibility": "direct"}}},
        {"accounts": {HANDLE: GOOD | {"limit": 10}}},
        {"accounts": {HANDLE: {"server": "https://acme.example"}}},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        read(MastodonSettings, given)
    assert TOKEN not in str(refused.value)

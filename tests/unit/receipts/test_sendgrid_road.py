"""The whole road: mails by SendGrid from a real log, its events over HTTP, and what the ledger says in the end."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers.delivery.channels.email import EmailSettings, SendGridEmailChannel, SendGridSettings
from consumers.delivery.context import ChannelContext
from consumers.delivery.settings import Secret
from consumers.delivery.subscribers import ACTIVE, SUPPRESSED
from producers.receipts.deps import Listening, ReceiptDeps
from producers.receipts.receipt import Opening
from producers.receipts.router import MAX_BODY, receipts_router
from producers.receipts.sendgrid import KIND
from schemas.events import AnyEvent
from streams.log.port import LogUnavailableError
from streams.runtime.metrics import Metrics
from tests.fakes.vendors.http import Hang
from tests.fakes.vendors.sendgrid import KEY, Letter, SendGrid
from tests.fakes.vendors.sendgrid_events import Events, Posted
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.pipeline import PAGE, SECOND, Pipeline
from tests.unit.intake.station import client_of

URL = f"/receipts/{PAGE}/sendgrid"
NAMES = ("ann", "ben", "eve")


@pytest.fixture
def vendor() -> Iterator[VendorServer[SendGrid]]:
    with VendorServer(SendGrid()) as running:
        yield running


@dataclass
class World:
    """A pipeline that mails by SendGrid, and SendGrid that answers to it."""

    pipeline: Pipeline
    vendor: VendorServer[SendGrid]
    events: Events
    metrics: Metrics
    client: httpx.AsyncClient
    people: dict[str, str]

    @property
    def now(self) -> int:
        return self.pipeline.now // SECOND

    def letter(self, name: str) -> Letter:
        return next(one for one in self.vendor.vendor.letters if one.to == f"{name}@customer.example")

    def event(self, name: str, what: str, **more: Any) -> dict[str, Any]:
        return self.events.event(self.letter(name), what, self.now, **more)

    async def say(self, *events: dict[str, Any], expected: int = 202) -> dict[str, int]:
        """Post events and return what they were counted as."""
        answer = await self.post(self.events.posted(list(events), self.now))
        assert answer.status_code == expected, answer.text
        found: dict[str, int] = answer.json()
        self.pipeline.backend.settle()
        return found

    async def post(self, posted: Posted, url: str = URL) -> httpx.Response:
        return await self.client.post(url, content=posted.body, headers=posted.headers)

    def states(self) -> dict[str, str]:
        return {address.partition("@")[0]: state for address, state in self.pipeline.states()}

    def standing(self, name: str) -> tuple[str, str]:
        found = self.pipeline.backend.subscribers.subscriber(PAGE, self.people[name])
        assert found is not None
        return found.state, found.reason

    def log(self) -> list[AnyEvent]:
        return self.pipeline.events()

    def counted(self, outcome: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "tocsin_receipts_total", {"kind": "sendgrid", "outcome": outcome}
        )
        return value or 0.0


@pytest.fixture
async def world(tmp_path: Path, vendor: VendorServer[SendGrid]) -> AsyncIterator[World]:
    provider = SendGridSettings(api_key=Secret(KEY), api=vendor.url)
    settings = EmailSettings(sendgrid=provider, sender="status@acme.example")
    channel: Any = SendGridEmailChannel(settings, ChannelContext(), timeout=0.4)
    pipeline = Pipeline(tmp_path, channel)
    backend, events, metrics = pipeline.backend, Events(), Metrics()
    listening = [
        Listening(page, name, KIND, KIND.open(Opening(name, "", {"event_key": events.public_key})))
        for page, name in ((PAGE, "email"), ("other", "email"))
    ]
    deps = ReceiptDeps(backend.publisher, backend.queue, backend.vault, backend.clock, metrics, listening)
    people = {name: pipeline.subscribe(f"{name}@customer.example") for name in NAMES}
    async with client_of(receipts_router(deps)) as client:
        yield World(pipeline, vendor, events, metrics, client, people)
    await channel.close()
    pipeline.close()


async def told(world: World, *, silent: bool = False) -> None:
    """Tell everybody of an incident."""
    if silent:
        world.vendor.misbehave(Hang())
    world.pipeline.publish()
    await world.pipeline.deliver()
    assert set(world.states().values()) == {"in_doubt" if silent else "sent"}
    assert len(world.vendor.requests) == 1


async def test_a_doubt_ends_when_sendgrid_says_that_it_has_it(world: World) -> None:
    await told(world, silent=True)
    found = await world.say(world.event("ann", "processed"), world.event("ben", "delivered"))
    assert found == {"recorded": 2, "repeated": 0, "unknown": 0}
    assert world.states() == {"ann": "sent", "ben": "delivered", "eve": "in_doubt"}
    reasons = {entry.subscriber: entry.reason for entry in world.pipeline.entries()}
    assert reasons[world.people["ann"]] == "message-1", "the receipt that the answer would have given"


async def test_all_that_becomes_of_mails(world: World) -> None:
    await told(world)
    await world.say(
        world.event("ann", "processed"),
        world.event("ann", "delivered"),
        world.event("ben", "bounce", type="bounce", status="5.1.1"),
        world.event("eve", "dropped", reason="Spam Reporting Address"),
    )
    assert world.states() == {"ann": "delivered", "ben": "failed", "eve": "failed"}
    assert world.standing("ann") == (ACTIVE, "")
    assert world.standing("ben") == (SUPPRESSED, "bounced: 5.1.1")
    assert world.standing("eve") == (SUPPRESSED, "dropped by SendGrid: spam reporting address")
    world.pipeline.publish()
    await world.pipeline.deliver()
    assert [letter.to for letter in world.vendor.vendor.letters[3:]] == ["ann@customer.example"]


async def test_a_bounce_before_the_answer_ends_a_doubt_too(world: World) -> None:
    await told(world, silent=True)
    await world.say(world.event("ann", "bounce", type="blocked", status="4.7.1"))
    assert world.states()["ann"] == "failed"
    assert world.standing("ann") == (ACTIVE, "")


async def test_late_twice_and_out_of_order_changes_nothing(world: World) -> None:
    await told(world, silent=True)
    events = [world.event("ann", "processed"), world.event("ann", "delivered"), world.event("ben", "spamreport")]
    await world.say(events[1])
    await world.say(events[2], events[1])
    before = (world.states(), world.standing("ben"), len(world.log()))
    assert before[:2] == ({"ann": "delivered", "ben": "in_doubt", "eve": "in_doubt"}, (SUPPRESSED, "reported as spam"))
    world.pipeline.now += 3_600 * SECOND
    found = await world.say(*events, *reversed(events))
    assert (world.states(), world.standing("ben"), len(world.log())) == before
    assert found["unknown"] == 0
    await world.say(world.event("ann", "bounce", type="blocked"))
    assert world.states()["ann"] == "delivered", "what has arrived stays so"


async def test_the_same_request_again_is_nothing_new(world: World) -> None:
    await told(world, silent=True)
    posted = world.events.posted([world.event(name, "processed") for name in NAMES], world.now)
    first, length = await world.post(posted), 0
    world.pipeline.backend.settle()
    length = len(world.log())
    again = await world.post(posted)
    world.pipeline.backend.settle()
    assert (first.json()["recorded"], again.json()) == (3, {"recorded": 0, "repeated": 3, "unknown": 0})
    assert len(world.log()) == length
    assert (world.counted("recorded"), world.counted("repeated")) == (3, 3)


async def test_what_is_not_of_this_page_or_channel_is_counted_and_not_written(world: World) -> None:
    await told(world)
    before = len(world.log())
    stranger = world.event("ann", "bounce", notification="f" * 56)
    strange = world.event("ann", "bounce", notification="\x00\ud800" + "é" * 300)
    assert await world.say(stranger, strange) == {"recorded": 0, "repeated": 0, "unknown": 2}
    answer = await world.post(
        world.events.posted([world.event("ann", "delivered")], world.now), "/receipts/other/sendgrid"
    )
    assert answer.json() == {"recorded": 0, "repeated": 0, "unknown": 1}
    assert (len(world.log()), world.counted("unknown")) == (before, 3)


async def test_what_sendgrid_did_not_sign_changes_nothing(world: World) -> None:
    await told(world)
    before = len(world.log())
    bounce = [world.event("ann", "bounce", type="bounce")]
    good = world.events.posted(bounce, world.now)
    refused = [
        (Posted(good.body, {}), 401),
        (Events().posted(bounce, world.now), 401),
        (Posted(good.body.replace(b"ann", b"ben"), good.headers), 401),
        (world.events.posted(bounce, world.now - 301), 401),
        (world.events.posted(bounce, world.now + 301), 401),
        (world.events.signed(b"{}", world.now), 400),
        (world.events.signed(b"x" * (MAX_BODY + 1), world.now), 413),
    ]
    for posted, status in refused:
        answer = await world.post(posted)
        assert answer.status_code == status
        assert "customer.example" not in answer.text
    world.pipeline.backend.settle()
    assert (len(world.log()), set(world.states().values())) == (before, {"sent"})
    assert world.counted("refused") == 6


@pytest.mark.parametrize("url", ["/receipts/acme/smoke", "/receipts/nowhere/sendgrid"])
async def test_who_is_not_listened_to_is_not_found(world: World, url: str) -> None:
    await told(world)
    answer = await world.post(world.events.posted([world.event("ann", "delivered")], world.now), url)
    assert answer.status_code == 404
    assert (await world.client.get(URL)).status_code == 405


async def test_a_log_that_cannot_write_makes_sendgrid_come_again(world: World) -> None:
    await told(world, silent=True)

    class Full:
        async def publish(self, _: Any) -> Any:
            raise LogUnavailableError("full")

    class Away:
        def known(self, *_: Any) -> Any:
            raise OSError("away")

    backend = world.pipeline.backend
    reading = KIND.open(Opening("email", "", {"event_key": world.events.public_key}))
    listening = [Listening(PAGE, "email", KIND, reading)]
    posted = world.events.posted([world.event("ann", "delivered")], world.now)
    for publisher, ledger in ((Full(), backend.queue), (backend.publisher, Away())):
        deps = ReceiptDeps(publisher, ledger, backend.vault, backend.clock, Metrics(), listening)
        async with client_of(receipts_router(deps)) as client:
            answer = await client.post(URL, content=posted.body, headers=posted.headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await world.post(posted)).status_code == 202
    backend.settle()
    assert world.states()["ann"] == "delivered"


async def test_thousands_at_once(world: World) -> None:
    await told(world, silent=True)
    strangers = [world.event("ann", "processed", notification=f"{n:056x}") for n in range(2_000)]
    ours = [world.event(name, what) for what in ("delivered", "processed") for name in NAMES]
    found = await world.say(*strangers, *ours)
    assert found == {"recorded": 6, "repeated": 0, "unknown": 2_000}
    assert set(world.states().values()) == {"delivered"}

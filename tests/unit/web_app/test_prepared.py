"""Prepared bytes: what is sent, when it is made anew, and what happens when that is slow or fails."""

import asyncio
import threading

import httpx
import pytest

from consumers.web import prepared
from consumers.web.body import names, takes_gzip
from consumers.web.budget import CREDIT, SHARE, RenderBudget
from consumers.web.prepared import PreparedBodies, PreparedPages, Recipe
from consumers.web.render import statuspage_v2
from consumers.web.render.page import CONTENT_SECURITY_POLICY
from schemas.events import Micros
from streams.domain.model import PageView
from tests.builders.web_world import PAGE, WebWorld, opened, resolved

HOT = ["/", *statuspage_v2.ENDPOINTS, "/history.rss", "/history.atom", "/feed.rss", "/feed.atom"]


@pytest.mark.parametrize("path", HOT)
async def test_a_hot_path_has_validators_and_may_be_kept_for_no_time(
    shared_client: httpx.AsyncClient, path: str
) -> None:
    answer = await shared_client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert int(answer.headers["content-length"]) > 0
    again = await shared_client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == answer.headers["etag"]
    head = await shared_client.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("path", HOT)
async def test_gzip_is_for_who_takes_it_and_has_an_etag_of_its_own(shared_client: httpx.AsyncClient, path: str) -> None:
    plain = await shared_client.get(path, headers={"Accept-Encoding": "identity"})
    packed = await shared_client.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert packed.content == plain.content
    if packed.headers.get("content-encoding") == "gzip":
        assert packed.headers["etag"] != plain.headers["etag"]
        assert packed.headers["vary"] == "accept-encoding"
        assert int(packed.headers["content-length"]) < len(plain.content)
    else:
        assert len(plain.content) < 500


async def test_the_api_and_the_feeds_are_open_to_other_origins_and_the_page_is_guarded(
    shared_client: httpx.AsyncClient,
) -> None:
    for path in HOT[1:]:
        assert (await shared_client.get(path)).headers["access-control-allow-origin"] == "*"
    page = await shared_client.get("/")
    assert "access-control-allow-origin" not in page.headers
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert page.headers["referrer-policy"] == "no-referrer"


async def test_a_change_is_shown_by_the_next_answer(
    world: WebWorld, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slow machine must not make it give older bytes, as it may after a quarter of a second of either time.
    monkeypatch.setattr(prepared, "PATIENCE", 60.0)
    monkeypatch.setattr("consumers.web.budget.CREDIT", 60.0)
    calm = await client.get("/")
    assert "All Systems Operational" in calm.text
    for name in ("one", "two", "three"):
        await world.say(opened(name))
        assert f"Trouble {name}" in (await client.get("/api/v2/summary.json")).text
        assert f"Trouble {name}" in (await client.get("/")).text
        assert f"Trouble {name}" in (await client.get("/history.atom")).text
    trouble = await client.get("/", headers={"If-None-Match": calm.headers["etag"]})
    assert trouble.status_code == 200
    for name in ("one", "two", "three"):
        await world.say(resolved(name))
    assert (await client.get("/api/v2/summary.json")).json()["status"]["indicator"] == "none"


async def test_what_is_prepared_is_also_a_route_for_an_application_without_the_layer(world: WebWorld) -> None:
    transport = httpx.ASGITransport(app=world.inner)
    async with httpx.AsyncClient(transport=transport, base_url="https://status.acme.example") as client:
        for path in HOT:
            assert (await client.get(path)).status_code == 200


async def test_other_methods_are_refused_and_a_browsers_question_is_answered(shared_client: httpx.AsyncClient) -> None:
    refused = await shared_client.post("/api/v2/summary.json", json={})
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    asked = await shared_client.options("/api/v2/summary.json", headers={"Origin": "https://example.com"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        (b"gzip", True), (b"br, GZIP;q=0.5", True), (b"*", True), (b"x-gzip", True), (b"gzip;q=1.0", True),
        (b"", False), (b"identity", False), (b"br", False), (b"gzip;q=0", False), (b"gzip; q=0.000, br", False),
    ],
)  # fmt: skip
def test_accept_encoding(accepted: bytes, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


@pytest.mark.parametrize(
    ("known", "match"),
    [(b'"a"', True), (b'W/"a"', True), (b'"b", "a"', True), (b"*", True), (b'"b"', False), (b"a", False), (b"", False)],
)
def test_if_none_match(known: bytes, match: bool) -> None:
    assert names(known, b'"a"') is match


def test_a_budget_lets_cheap_work_through_and_bounds_dear_work_to_its_share() -> None:
    budget = RenderBudget()
    spent, now = 0.0, 0.0
    while now < 100:
        if budget.allows(now):
            budget.spend(0.05, now)
            spent += 0.05
        now += 0.001
    assert spent == pytest.approx(100 * SHARE, abs=CREDIT + 0.06)
    rested = RenderBudget()
    assert rested.allows(0)
    rested.spend(3.0, 3.0)
    assert not rested.allows(29.0)
    assert rested.allows(31.0)


class Slow:
    """A renderer that waits for a sign, and can be told to fail."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.fail = False
        self.calls = 0

    def render(self, view: PageView, now: Micros) -> bytes:
        self.calls += 1
        assert self.go.wait(30), "nobody gave the sign"
        if self.fail:
            raise ValueError("no such template")
        return f"{len(view.incidents)} incidents".encode()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def slow_client(world: WebWorld, slow: Slow) -> httpx.AsyncClient:
    recipes = {"/": Recipe("slow", "page", slow.render, "text/plain", {})}
    bodies = PreparedBodies(world.board, PAGE, recipes, clock=lambda: world.now, metrics=world.metrics)
    transport = httpx.ASGITransport(app=PreparedPages(world.inner, bodies, world.metrics), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://status.acme.example")


async def test_many_who_ask_at_once_are_served_by_one_rendering(slow_client: httpx.AsyncClient, slow: Slow) -> None:
    async with slow_client as client:
        asked = [asyncio.ensure_future(client.get("/")) for _ in range(20)]
        await asyncio.sleep(0.05)
        slow.go.set()
        assert {answer.text for answer in await asyncio.gather(*asked)} == {"0 incidents"}
    assert slow.calls == 1


async def test_older_bytes_serve_while_new_ones_take_long(
    world: WebWorld, slow_client: httpx.AsyncClient, slow: Slow
) -> None:
    async with slow_client as client:
        slow.go.set()
        assert (await client.get("/")).text == "0 incidents"
        slow.go.clear()
        await world.say(opened())
        assert (await client.get("/")).text == "0 incidents"
        slow.go.set()
        # Each of these waits for the rendering that is under way, for as long as patience lasts.
        answers = [(await client.get("/")).text for _ in range(20)]
        assert answers[-1] == "1 incidents"
    assert slow.calls == 2


async def test_a_renderer_that_fails_leaves_the_older_bytes(
    world: WebWorld, slow_client: httpx.AsyncClient, slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    slow.go.set()
    slow.fail = True
    async with slow_client as client:
        assert (await client.get("/")).status_code == 500
        slow.fail = False
        assert (await client.get("/")).text == "0 incidents"
        slow.fail = True
        await world.say(opened())
        assert (await client.get("/")).text == "0 incidents"
    assert "could not be rendered" in caplog.text

"""The hot paths of the page as bytes that are ready: rendered once for each change, sent with a dictionary lookup.

An outermost layer of the application: no framework runs for what it answers. Rendering happens in a thread, on the
first request after a change, and is bounded by a budget; nobody waits long for it where older bytes are at hand.
"""

import asyncio
import logging
import math
import time
from asyncio import Future
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from consumers.web.body import ReadyBody
from consumers.web.budget import RenderBudget
from consumers.web.pictures import Pictures
from schemas.events import Micros
from streams.domain.model import PageView
from streams.runtime.clock import Clock
from streams.runtime.metrics import Metrics

PATIENCE = 0.25
"""Seconds that a request waits for fresh bytes where older ones are at hand."""
BY_THE_CLOCK = 60.0
"""Seconds after which a body that shows the running day is rendered anew though nothing changed."""
_log = logging.getLogger(__name__)
_METHODS = b"GET, HEAD, OPTIONS"


class Recipe(msgspec.Struct, frozen=True):
    """How one body is made; ``route`` is its class in the metrics.

    ``render`` gets the view and the time and may read, but for nothing else; ``daily`` bodies depend on the time too.
    """

    name: str
    route: str
    render: Callable[[PageView, Micros], bytes]
    media_type: str
    headers: Mapping[str, str]
    daily: bool = False


class PreparedBody:
    """One body: the newest bytes, for which version they were made, and the rendering that is under way."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.ready: ReadyBody | None = None
        self.version = -1
        self.until = 0.0
        self.budget = RenderBudget()
        self.rendering: Future[None] | None = None


class PreparedBodies:
    """The prepared bodies of one page by path. To be used from one event loop."""

    def __init__(
        self, views: Pictures, page: str, recipes: Mapping[str, Recipe], *, clock: Clock, metrics: Metrics
    ) -> None:
        self._views = views
        self._page = page
        self._clock = clock
        self._metrics = metrics
        bodies = {recipe.name: PreparedBody(recipe) for recipe in recipes.values()}
        self.by_path = {path: bodies[recipe.name] for path, recipe in recipes.items()}
        # One thread: rendering shares the processor with everything else, however many bodies are stale.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="render")

    def fresh(self, body: PreparedBody) -> ReadyBody | None:
        """Return the body's bytes where they need no work; the way of nearly every request."""
        view = self._views.view(self._page)
        if view is None or body.version != view.version or time.monotonic() >= body.until:
            return None
        return body.ready

    async def newest(self, body: PreparedBody) -> ReadyBody | None:
        """Return bytes of the newest version, or older ones where that takes too long; None without such a page."""
        deadline = time.monotonic() + PATIENCE
        while (view := self._views.view(self._page)) is not None:
            now = time.monotonic()
            if body.version == view.version and now < body.until:
                return body.ready
            if body.rendering is None and (body.ready is None or body.budget.allows(now)):
                body.rendering = asyncio.ensure_future(self._render(body, view))
                body.rendering.add_done_callback(_seen)
            if not await self._rendered(body, deadline - now):
                return body.ready
        return None

    def close(self) -> None:
        """Stop the rendering thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _rendered(self, body: PreparedBody, patience: float) -> bool:
        """Wait for the rendering that is under way; False where older bytes have to do."""
        rendering = body.rendering
        if body.ready is None:
            assert rendering is not None, "the first one begins at once"
            await asyncio.shield(rendering)
            return True
        if rendering is None:
            return False
        done, _ = await asyncio.wait({rendering}, timeout=max(0.0, patience))
        return bool(done) and rendering.exception() is None

    async def _render(self, body: PreparedBody, view: PageView) -> None:
        begun = time.monotonic()
        try:
            loop = asyncio.get_running_loop()
            body.ready = await loop.run_in_executor(self._thread, self._make, body, view)
            body.version = view.version
            body.until = begun + BY_THE_CLOCK if body.recipe.daily else math.inf
        finally:
            body.rendering = None

    def _make(self, body: PreparedBody, view: PageView) -> ReadyBody:
        # What it costs is the processor's time: on a machine that is busy with other things it takes longer, not more.
        recipe, begun, at_work = body.recipe, time.monotonic(), time.thread_time()
        try:
            return ReadyBody(recipe.render(view, self._clock()), recipe.media_type, recipe.headers)
        finally:
            ended = time.monotonic()
            body.budget.spend(time.thread_time() - at_work, ended)
            self._metrics.render_seconds.labels(recipe.name).observe(ended - begun)


def _seen(rendering: "Future[None]") -> None:
    """Say what went wrong: who asked may have older bytes, or be gone."""
    if not rendering.cancelled() and (error := rendering.exception()) is not None:
        _log.error("a body could not be rendered", exc_info=error)


class PreparedPages:
    """The outermost layer: answers the paths that are prepared and passes on everything else."""

    def __init__(self, app: ASGIApp, bodies: PreparedBodies, metrics: Metrics) -> None:
        self._app = app
        self._bodies = bodies
        self._by_path = bodies.by_path
        self._answered: dict[tuple[str, int], int] = {}
        self._counted: dict[tuple[str, int], int] = {}
        self._metrics = metrics
        metrics.sample(self._count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._by_path.get(scope["path"]) if scope["type"] == "http" else None
        if body is None:
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method not in {"GET", "HEAD"}:
            status = await _other_method(method, send)
        else:
            ready = self._bodies.fresh(body) or await self._bodies.newest(body)
            if ready is None:
                await self._app(scope, receive, send)
                return
            start, content = ready.answer(method, scope["headers"])
            await send(start)
            await send(content)
            status = start["status"]
        key = body.recipe.route, status
        self._answered[key] = self._answered.get(key, 0) + 1

    def _count(self) -> None:
        """Bring the metric up to the counts: adding to a plain dictionary costs the hot path next to nothing."""
        for key, count in list(self._answered.items()):  # one step of the interpreter: the loop goes on counting
            route, status = key
            self._metrics.requests.labels(route, str(status)).inc(count - self._counted.get(key, 0))
            self._counted[key] = count


async def _other_method(method: str, send: Send) -> int:
    """Answer a browser's question before a cross-origin request (204), and refuse the rest (405)."""
    asked = method == "OPTIONS"
    headers = [(b"allow", _METHODS), (b"content-length", b"0")]
    if asked:
        headers = [
            (b"allow", _METHODS), (b"access-control-allow-origin", b"*"), (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", b"*"), (b"access-control-max-age", b"86400"),
        ]  # fmt: skip
    status = 204 if asked else 405
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
    return status

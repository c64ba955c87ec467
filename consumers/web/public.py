"""Which public bodies are prepared, at which paths, and with which headers; how they look is for the renderers."""

from collections.abc import Callable, Mapping

from starlette.responses import Response

from consumers.web.ports import UptimeFigures
from consumers.web.prepared import Recipe
from consumers.web.render import feeds, statuspage_v2
from consumers.web.render.page import CONTENT_SECURITY_POLICY, Pages
from schemas.events import Micros
from streams.domain.model import PageView

HTML = "text/html; charset=utf-8"
_FRESH = {"Cache-Control": "public, max-age=0, must-revalidate"}
# As few as can be: each header costs a server about as much as all of our own work on such an answer.
_OPEN = _FRESH | {"Access-Control-Allow-Origin": "*"}
HTML_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""For every page: links in mails carry tokens, so no page tells another site where its readers came from."""

FEEDS = {"/history.rss": "rss", "/feed.rss": "rss", "/history.atom": "atom", "/feed.atom": "atom"}


def private(body: bytes) -> Response:
    """Return a page that is for one reader alone, or that says what was just done: nobody keeps it."""
    return Response(body, headers={**HTML_HEADERS, "Cache-Control": "no-store"}, media_type=HTML)


def recipes(pages: Pages, uptime: UptimeFigures) -> dict[str, Recipe]:
    """Return by path how each prepared body of a page is made."""
    found = {
        "/": Recipe(
            "index",
            "page",
            lambda view, now: pages.index(view, uptime.uptime_of_page(view, now), now),
            HTML,
            {**HTML_HEADERS, **_FRESH},
            daily=True,
        )
    }
    for path, body in statuspage_v2.ENDPOINTS.items():
        found[path] = Recipe(_name(path), "api_v2", _timeless(body), "application/json; charset=utf-8", _OPEN)
    rss = Recipe("rss", "feed", _timeless(feeds.rss), feeds.RSS_TYPE, _OPEN)
    atom = Recipe("atom", "feed", _timeless(feeds.atom), feeds.ATOM_TYPE, _OPEN)
    return found | {path: rss if kind == "rss" else atom for path, kind in FEEDS.items()}


def _timeless(render: Callable[[PageView], bytes]) -> Callable[[PageView, Micros], bytes]:
    return lambda view, _: render(view)


def _name(path: str) -> str:
    return path.removeprefix("/api/").removesuffix(".json").replace("/", "_").replace("-", "_")

"""The pages for people, but for the prepared ones: history, single subjects, the sign-up's pages, and static files.

Nothing here changes anything: a link in a mail leads to a button, because mail scanners follow links.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from starlette.responses import Response

from consumers.web.body import ReadyBody
from consumers.web.dependencies import WebDependencies
from consumers.web.public import HTML, HTML_HEADERS, private
from consumers.web.ready import Ready
from consumers.web.render import codes
from consumers.web.render.assets import CACHE_CONTROL
from streams.domain.model import PageView
from streams.runtime.links import LinkError, Purpose
from streams.runtime.problems import not_found

_REVALIDATE = "public, max-age=0, must-revalidate"
_ROBOTS = "User-agent: *\nDisallow: /api/\nDisallow: /confirm/\nDisallow: /unsubscribe/\nDisallow: /manage/\nAllow: /\n"
_MESSAGES = {
    "/subscribed": (
        "Check your inbox",
        "We have sent you a message. Follow the link in it to confirm your subscription.",
    ),
    "/sent": (
        "Check your inbox",
        "If that address is subscribed, we have sent it the link with which you choose what you hear of.",
    ),
    "/confirmed": ("You are subscribed", "You will hear of incidents and maintenance as you chose."),
    "/unsubscribed": ("You are unsubscribed", "You will not hear from us again."),
}


class Site:
    """The handlers."""

    def __init__(self, deps: WebDependencies) -> None:
        self._deps = deps
        self._pages = deps.pages
        self._static = {
            (name, forever): ReadyBody(
                asset.content,
                asset.media_type,
                {"Cache-Control": CACHE_CONTROL if forever else _REVALIDATE, "X-Content-Type-Options": "nosniff"},
            )
            for name, asset in deps.assets.files.items()
            for forever in (True, False)
        }

    def routes(self) -> APIRouter:
        """Return the routes; machines have no use for them, so the API's description leaves them out."""
        router = APIRouter(include_in_schema=False)
        handlers: dict[str, Callable[..., Any]] = {
            "/history": self.history,
            "/incidents/{name}": self.incident,
            "/maintenances/{name}": self.maintenance,
            "/subscribe": self.subscribe,
            "/confirm/{token}": self.confirm,
            "/unsubscribe/{token}": self.unsubscribe,
            "/static/{name}": self.static,
            "/favicon.ico": self.favicon,
            "/robots.txt": self.robots,
        }
        for path, (title, text) in _MESSAGES.items():
            handlers[path] = self._message(title, text)
        for path, handler in handlers.items():
            router.add_api_route(path, handler, methods=["GET", "HEAD"])
        return router

    def history(self, page: Annotated[int, Query(ge=1)] = 1) -> Response:
        """Return three months of the past."""
        body = self._pages.history(self._view(), page, self._deps.clock())
        if body is None:
            raise not_found("page of the history")
        return _html(body)

    def incident(self, name: str) -> Response:
        """Return one incident's page."""
        view = self._view()
        found = codes.find_incident(view, name)
        if found is None:
            raise not_found("incident")
        return _html(self._pages.incident(view, found))

    def maintenance(self, name: str) -> Response:
        """Return one maintenance's page."""
        view = self._view()
        found = codes.find_maintenance(view, name)
        if found is None:
            raise not_found("maintenance")
        return _html(self._pages.maintenance(view, found))

    def subscribe(self) -> Response:
        """Return the form on a page of its own."""
        return _html(self._pages.subscribe(self._view()))

    def confirm(self, token: str) -> Response:
        """Return the button that confirms."""
        return private(self._pages.confirm(self._view(), f"/confirm/{quote(token, safe='')}"))

    def unsubscribe(self, token: str) -> Response:
        """Return the button that unsubscribes."""
        # Not every message has room for a second link: the way to a narrower choice begins here, too.
        manage = ""
        with suppress(LinkError):
            ticket = self._deps.links.read(Purpose.UNSUBSCRIBE, token)
            manage = f"/manage/{self._deps.links.token(Purpose.MANAGE, ticket.page, ticket.subscriber)}"
        return private(self._pages.unsubscribe(self._view(), f"/unsubscribe/{quote(token, safe='')}", manage))

    async def static(self, name: str, v: str = "") -> Response:
        """Return a static file: for ever under its hash, to be revalidated without."""
        asset = self._deps.assets.files.get(name)
        if asset is None:
            raise not_found("file")
        return Ready(self._static[name, v == asset.version])

    async def favicon(self) -> Response:
        """Return the icon for who does not look into the page for it."""
        return Ready(self._static["favicon-ok.svg", False])

    async def robots(self) -> Response:
        """Say what is not for search engines."""
        return PlainTextResponse(_ROBOTS, headers={"Cache-Control": "public, max-age=3600"})

    def _message(self, title: str, text: str) -> Callable[[], Response]:
        def message() -> Response:
            return private(self._pages.message(self._view(), title, text))

        return message

    def _view(self) -> PageView:
        view = self._deps.public.view(self._deps.page)
        if view is None:
            raise not_found("page")
        return view


def _html(body: bytes) -> Response:
    return Response(body, headers={**HTML_HEADERS, "Cache-Control": _REVALIDATE}, media_type=HTML)

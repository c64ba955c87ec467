"""Answers monitors without the framework's detours, which cost more than all that an alert needs. It knows no alert.

Only the path that nearly all monitors post to; the routes of ``router`` stay for whatever this passes on, and describe it.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from producers.intake.router import WaysIn

_PREFIX = "/ingest/"
_METHODS = frozenset({"POST", "PUT"})
Answer = Callable[[Request, Exception], Response]


class DirectIntake:
    """A layer around the application. ``answer`` says what a request is told that raised."""

    def __init__(self, app: ASGIApp, ways: WaysIn, answer: Answer) -> None:
        self._app = app
        self._ways = ways
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _METHODS or not (found := _named(scope["path"])):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._ways.ingest(request, *found)
        except Exception as error:  # as of every route: who asked is told, and the log the rest
            response = self._answer(request, error)
        await response(scope, receive, send)


def _named(path: str) -> tuple[str, str] | None:
    """Return the page and the source that a path names, None for any other path."""
    if not path.startswith(_PREFIX):
        return None
    page, _, source = path.removeprefix(_PREFIX).partition("/")
    return (page, source) if page and source and "/" not in source else None

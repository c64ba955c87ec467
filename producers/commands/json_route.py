"""The routes of the command API: what is no JSON of a bounded size never reaches a handler."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from producers.intake.receiving import MIB, read_body
from streams.runtime.problems import ProblemError, invalid

MAX_BODY = 1 * MIB
_UNDECLARED = ("", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded")
"""What a client says that was not told what it sends (``curl -d``): the body decides whether it is JSON."""


class JsonRoute(APIRoute):
    """A route whose body, if it has one, is strict JSON: UTF-8, no NaN, not nested beyond reason."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            try:
                body = await read_body(request, MAX_BODY)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody listens
            if body:
                _require_json(request, body)
            return await handle(Request(_declared(request.scope), _replay(body)))

        return checked


def _require_json(request: Request, body: bytes) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _UNDECLARED and not (media_type.startswith("application/") and media_type.endswith("json")):
        raise ProblemError(415, "Not JSON", "Send the body as Content-Type: application/json.")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid("body", f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None


def _declared(scope: Scope) -> Scope:
    headers = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive

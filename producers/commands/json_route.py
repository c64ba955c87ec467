"""The routes of the command API: what is no JSON of a bounded size never reaches a handler."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive

from producers.intake.receiving import MIB, read_body
from streams.runtime.problems import ProblemError, invalid

MAX_BODY = 1 * MIB


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
            return await handle(Request(request.scope, _replay(body)))

        return checked


def _require_json(request: Request, body: bytes) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise ProblemError(415, "Not JSON", "Send the body as Content-Type: application/json.")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid("body", f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive

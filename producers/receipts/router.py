"""The way in for providers over HTTP: ``/receipts/{page}/{kind}``. Who signed it is the kind's business."""

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from producers.intake.receiving import MIB, read_body
from producers.receipts.deps import Listening, ReceiptDeps
from producers.receipts.receipt import NotAuthenticError, NotUnderstoodError, ReceiptRequest
from producers.receipts.receiving import Receiving
from producers.receipts.recording import Recorded
from streams.log.port import LogUnavailableError
from streams.runtime.problems import ProblemError, not_found, overloaded

MAX_BODY = 4 * MIB
"""Providers gather events: a thousand of them are some hundred kilobytes."""
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Durable. `unknown` counts what is about no notification of this page. Some providers are answered 204.",
        "content": {"application/json": {"example": {"recorded": 2, "repeated": 1, "unknown": 0}}},
    },
    400: {"description": "It is signed, and no receipt."},
    401: {"description": "It is not signed with the provider's key, or was signed more than 5 minutes ago."},
    404: {"description": "There is no such page, or this provider is not listened to."},
    413: {"description": "The body is longer than 4 MiB."},
    503: {"description": "Nothing was taken: try again after Retry-After."},
}


def receipts_router(deps: ReceiptDeps) -> APIRouter:
    """Return the route for providers' receipts."""
    router = APIRouter(tags=["receipts"])
    desk = _Receipts(deps)
    router.add_api_route(
        "/receipts/{page}/{kind}",
        desk.receive,
        methods=["POST"],
        summary="Post what became of notifications, in the provider's own format",
        status_code=202,
        responses=_ANSWERS,
    )
    return router


class _Receipts:
    """The handler."""

    def __init__(self, deps: ReceiptDeps) -> None:
        self._deps = deps
        self._receiving = Receiving(deps)

    async def receive(self, request: Request, page: str, kind: str) -> Response:
        """Take what a provider says of notifications that it was given. Repeats do no harm."""
        listening = [one for one in self._deps.listening if (one.page, one.kind.name) == (page, kind)]
        if not listening:
            raise not_found("page or provider that is listened to")
        try:
            body = await read_body(request, MAX_BODY)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody listens
        try:
            recorded = await self._receiving.take(listening, self._asked(request, body))
        except NotAuthenticError as error:
            raise ProblemError(401, "Who are you?", f"This is not what the provider signs: {error}.") from None
        except NotUnderstoodError as error:
            raise ProblemError(400, "Not understood", f"This is no receipt: {error}.") from None
        except LogUnavailableError:
            raise overloaded("Nothing was taken. Please send it again.") from None
        return _answered(listening[0], recorded)

    def _asked(self, request: Request, body: bytes) -> ReceiptRequest:
        return ReceiptRequest(body, dict(request.headers), request.url.query, self._deps.clock())


def _answered(listening: Listening, recorded: Recorded) -> Response:
    if listening.kind.quiet:
        return Response(status_code=204)
    counts = {"recorded": recorded.news, "repeated": recorded.repeats, "unknown": recorded.unknown}
    return Response(orjson.dumps(counts), 202, media_type="application/json")

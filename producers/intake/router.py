"""The ways in for monitors over HTTP: who sends, what they send, and the answer in their own protocol."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from producers.intake import answers
from producers.intake.credentials import is_authentic, unauthorized
from producers.intake.deps import IntakeDeps
from producers.intake.intake import Intake, Receipt
from producers.intake.receiving import MIB, inflate, is_gzip, read_body
from producers.sources import alertmanager_api, pagerduty_events
from producers.sources.registry import KIND_OF_NAME
from producers.sources.source import Parse, Parsed, Problem, RawRequest, SourceKind
from streams.log.port import LogUnavailableError
from streams.runtime.problems import not_found, overloaded
from streams.runtime.secrets import SourceToken

MAX_BODY = 5 * MIB
MAX_EVENT = 1 * MIB
"""PagerDuty takes 512 KB; more than it because ours is counted before the token is known to be good."""
_ANSWERS: dict[str, Callable[[Receipt], Response]] = {alertmanager_api.PATH: answers.alertmanager_api}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Durable. What could not be understood is kept as a dead letter.",
        "content": {
            "application/json": {
                "example": {"accepted": 1, "ignored": 0, "deadlettered": 0, "events": ["0f8c…"]},
            }
        },
    },
    401: {"description": "The source's token is missing or wrong."},
    404: {"description": "There is no such page or source."},
    413: {"description": "The body is longer than 5 MiB."},
    503: {"description": "Nothing was taken: try again after Retry-After."},
}


def intake_router(ways: "WaysIn") -> APIRouter:
    """Return the routes for monitors: ``/ingest/...`` (POST and PUT) and ``/v2/enqueue``."""
    router = APIRouter(tags=["ingest"])
    _add(router, "/ingest/{page}/{source}", ways.ingest, "Post alerts in the monitor's own format")
    _add(
        router,
        "/ingest/{page}/{source}/{endpoint:path}",
        ways.endpoint,
        "Post alerts in another protocol of the monitor",
    )
    _add(router, "/v2/enqueue", ways.enqueue, "Post an event as to PagerDuty's Events API v2", also_put=False)
    return router


def _add(
    router: APIRouter,
    path: str,
    endpoint: Callable[..., Awaitable[Response]],
    summary: str,
    *,
    also_put: bool = True,
) -> None:
    router.add_api_route(path, endpoint, methods=["POST"], summary=summary, status_code=202, responses=_ACCEPTED)
    if also_put:  # Grafana may be told to
        router.add_api_route(path, endpoint, methods=["PUT"], include_in_schema=False)


class WaysIn:
    """The handlers of the routes."""

    def __init__(self, deps: IntakeDeps) -> None:
        self._deps = deps
        self._intake = Intake(deps)

    @property
    def intake(self) -> Intake:
        """The intake behind them."""
        return self._intake

    async def ingest(self, request: Request, page: str, source: str) -> Response:
        """Take what the monitor posts. Repeats of what is known are counted as ignored."""
        found, kind = self._source(page, source)
        if not is_authentic(request, found):
            return unauthorized()
        if kind is pagerduty_events.KIND:
            enqueue = _Enqueue()
            return await self._take(request, found, enqueue, lambda got: answers.pagerduty_counts(got, enqueue.reply))
        return await self._take(request, found, kind.parse, answers.counts)

    async def endpoint(self, request: Request, page: str, source: str, endpoint: str) -> Response:
        """Take what is posted to a path that the monitor itself appends, such as ``api/v2/alerts``."""
        endpoint = endpoint.strip("/")
        if not endpoint:
            return await self.ingest(request, page, source)
        found, kind = self._source(page, source)
        if not is_authentic(request, found):
            return unauthorized()
        parse = kind.endpoints.get(endpoint)
        if parse is None:
            raise not_found("endpoint")
        return await self._take(request, found, parse, _ANSWERS.get(endpoint, answers.counts), endpoint)

    async def enqueue(self, request: Request) -> Response:
        """Take an event whose ``routing_key`` is the token of a source of kind ``pagerduty_events``."""
        try:
            body = await read_body(request, MAX_EVENT)
        except ClientDisconnect:
            return _nobody_listens()
        body = inflate(body, MAX_EVENT) or body if is_gzip(request) else body
        key = pagerduty_events.routing_key(body)
        source = None if key is None else self._deps.sources.with_token(key)
        if source is None or source.kind != pagerduty_events.KIND.name:
            reply = pagerduty_events.invalid("'routing_key' is missing or not known")
            return Response(reply.body, reply.status, media_type="application/json")
        enqueue = _Enqueue()
        receipt = await self._stored(source, self._raw(request, body), enqueue)
        return answers.pagerduty(receipt, enqueue.reply)

    def _source(self, page: str, source: str) -> tuple[SourceToken, SourceKind]:
        found = self._deps.sources.named(page, source)
        kind = None if found is None else KIND_OF_NAME.get(found.kind)
        if found is None or kind is None:
            raise not_found("page or source")
        return found, kind

    async def _take(
        self,
        request: Request,
        source: SourceToken,
        parse: Parse,
        answer: Callable[[Receipt], Response],
        endpoint: str = "",
    ) -> Response:
        try:
            body = await read_body(request, MAX_BODY)
        except ClientDisconnect:
            return _nobody_listens()
        if is_gzip(request):
            plain = inflate(body, MAX_BODY)
            parse, body = (_no_gzip, body) if plain is None else (parse, plain)
        return answer(await self._stored(source, self._raw(request, body, endpoint), parse))

    async def _stored(self, source: SourceToken, raw: RawRequest, parse: Parse) -> Receipt:
        try:
            return await self._intake.take(source, raw, parse)
        except LogUnavailableError:
            raise overloaded("Nothing was taken. Please send it again.") from None

    def _raw(self, request: Request, body: bytes, endpoint: str = "") -> RawRequest:
        headers = request.headers
        return RawRequest(body, dict(headers), headers.get("content-type", ""), self._deps.clock(), endpoint)


class _Enqueue:
    """Reads one event of the Events API v2 and keeps the answer that the protocol wants."""

    def __init__(self) -> None:
        self.reply: pagerduty_events.Reply | None = None

    def __call__(self, request: RawRequest, /) -> Parsed:
        enqueued = pagerduty_events.enqueue(request)
        self.reply = enqueued.reply
        return enqueued.parsed


def _no_gzip(request: RawRequest, /) -> Parsed:
    return Parsed([], [Problem("the body is not the gzip that its Content-Encoding says", request.body)], 0, [])


def _nobody_listens() -> Response:
    return Response(status_code=400)

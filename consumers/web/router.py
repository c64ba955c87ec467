"""The way out over HTTP: puts the read API, the pages and the operators' paths into one router."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from consumers.web.api.router import api_router
from consumers.web.dependencies import WebDependencies
from consumers.web.managing import Managing
from consumers.web.operations import Operations
from consumers.web.prepared import PreparedBody
from consumers.web.ready import Ready
from consumers.web.site import Site
from streams.runtime.problems import not_found

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "An event `changed` for each new version, its id."},
    503: {"description": "Too many browsers listen."},
}


def web_router(deps: WebDependencies) -> APIRouter:
    """Return everything that is read over HTTP. ``PreparedPages`` around the application answers the hot paths."""
    router = APIRouter()
    router.include_router(api_router(deps))
    router.include_router(Operations(deps.readiness, deps.metrics, deps.notes).routes())
    router.include_router(_changes(deps))
    router.include_router(_prepared(deps))
    router.include_router(Site(deps).routes())
    router.include_router(Managing(deps).routes())
    return router


def _changes(deps: WebDependencies) -> APIRouter:
    router = APIRouter(tags=["changes"])
    last = Annotated[str | None, Header(alias="Last-Event-ID", description="The last version that was heard of.")]
    since = Annotated[str | None, Query(max_length=64, description="The same, for a first connection.")]

    @router.get("/events/stream", response_class=Response, responses=_STREAM)
    async def changes(last_event_id: last = None, since: since = None) -> Response:
        """Tell a browser of each change of the page."""
        return deps.stream.open(deps.page, last_event_id or since)

    @router.get("/pages/{page}/events/stream", response_class=Response, responses=_STREAM)
    async def changes_of_page(page: str, last_event_id: last = None, since: since = None) -> Response:
        """Tell a browser of each change of a page."""
        if deps.board.view(page) is None:
            raise not_found("page")
        return deps.stream.open(page, last_event_id or since)

    return router


def _prepared(deps: WebDependencies) -> APIRouter:
    """Return the prepared paths as routes: so they are described, and answered without the outermost layer too."""
    router = APIRouter(tags=["status"])
    for path, body in deps.bodies.by_path.items():
        recipe = body.recipe
        router.add_api_route(
            path,
            _handler(deps, body),
            methods=["GET"],
            name=recipe.name,
            summary=path,
            description="Prepared bytes with an ETag; see the documentation of the API.",
            operation_id=f"get{path.replace('/', '_').replace('.', '_').replace('-', '_')}",
            response_class=Response,
            responses={200: {"content": {recipe.media_type.split(";")[0]: {}}}, 304: {"description": "Not modified."}},
        )
    return router


def _handler(deps: WebDependencies, body: PreparedBody) -> Callable[[], Coroutine[Any, Any, Response]]:
    async def prepared() -> Response:
        ready = await deps.bodies.newest(body)
        if ready is None:
            raise not_found("page")
        return Ready(ready)

    return prepared

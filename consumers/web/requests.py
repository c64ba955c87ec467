"""Counts what the application answers, by class of route and status: classes, because paths are as many as strangers like."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.runtime.metrics import Metrics

_CLASSES = (
    ("/api/v1/", "api_v1"),
    ("/api/v2/", "api_v2"),
    ("/api/", "api"),
    ("/ingest/", "ingest"),
    ("/v2/enqueue", "ingest"),
    ("/receipts/", "receipts"),
    ("/static/", "static"),
    ("/events/stream", "stream"),
    ("/feed.", "feed"),
    ("/history.", "feed"),
    ("/healthz", "probe"),
    ("/readyz", "probe"),
    ("/metrics", "probe"),
)


def route_class(path: str) -> str:
    """Return the class of a path; what is none of the machines' paths is the page."""
    return next((name for prefix, name in _CLASSES if path.startswith(prefix)), "page")


class RequestCounter:
    """A layer around the application, inside ``PreparedPages``, which counts for itself."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = route_class(scope["path"])

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._requests.labels(route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)

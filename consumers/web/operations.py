"""What those who run the program ask: is it alive, does it do its work, and the figures for Prometheus."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from consumers.web.ports import Notes, Readiness
from streams.runtime.metrics import CONTENT_TYPE, Metrics

_NO_STORE = {"Cache-Control": "no-store"}


class Health(BaseModel):
    """``ok``, or ``unavailable`` with what is in the way; ``notes`` tell of channels that rest or are held back meanwhile."""

    status: str
    problems: list[str] = []
    notes: list[str] = []


class Operations:
    """The handlers, for any process that is probed."""

    def __init__(self, readiness: Readiness, metrics: Metrics, notes: Notes = list) -> None:
        self._readiness = readiness
        self._notes = notes
        self._metrics = metrics

    def routes(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["operations"])
        router.get("/healthz", response_model=Health)(self.healthz)
        router.get("/readyz", response_model=Health, responses={503: {"model": Health}})(self.readyz)
        router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})(self.metrics)
        return router

    async def healthz(self) -> Response:
        """Say that the process is alive: its event loop answers."""
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    def readyz(self) -> Response:
        """Say whether this process does its work; 503 with the reasons if not. A provider's trouble is none of its own."""
        problems = list(self._readiness.problems())
        body = {"status": "unavailable" if problems else "ok", "problems": problems, "notes": list(self._notes())}
        return JSONResponse(body, 503 if problems else 200, _NO_STORE)

    def metrics(self) -> Response:
        """Return the metrics; ``docs/metrics.md`` lists them."""
        return Response(self._metrics.exposition(), headers=_NO_STORE | {"Content-Type": CONTENT_TYPE})

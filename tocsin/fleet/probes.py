"""What workers that answer no other requests answer: /healthz, /readyz and /metrics."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consumers.web.errors import PROBLEM
from consumers.web.operations import Operations
from consumers.web.ports import Notes, Readiness
from streams.runtime.metrics import Metrics
from streams.runtime.problems import ProblemError
from tocsin.http import Life, application


class NoLife:
    """Nothing begins and ends with the probes."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def probes(readiness: Readiness, metrics: Metrics, life: Life, notes: Notes = list) -> FastAPI:
    """Return the application; ``life`` begins and ends with it."""
    return application([Operations(readiness, metrics, notes).routes()], life, _answer)


def _answer(_request: Request, problem: ProblemError) -> Response:
    return JSONResponse(problem.document(), problem.status, {"Cache-Control": "no-store"}, PROBLEM)

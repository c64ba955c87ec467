"""A Tocsin with the embedded engine behind the way in, spoken to over ASGI; its clock stands still unless moved."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from producers.intake.deps import IntakeDeps
from producers.intake.router import WaysIn, intake_router
from schemas.events import AlertReceived, AnyEvent, DeadLettered, EventData, Micros
from streams.domain.catalogue import Catalogue
from streams.domain.page import INCIDENTS
from streams.log.port import event_of
from streams.runtime.access import digest
from streams.runtime.metrics import Metrics
from streams.runtime.problems import ProblemError
from streams.runtime.secrets import SourceToken, SourceTokens
from streams.runtime.validation import problem_of
from tocsin.backend import Backend
from tocsin.config.catalogue import desired
from tocsin.config.loader import load_example

D = TypeVar("D", bound=EventData)
NOON: Micros = 1_772_366_400_000_000
"""2026-03-01T12:00:00Z."""
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
PAGE = "acme"
KINDS = {
    "prom": "alertmanager",
    "ping": "pingdom",
    "other": "generic",
    "graf": "grafana",
    "pager": "pagerduty_events",
}


def token_of(source: str) -> str:
    return f"{source}-secret"


@cache
def catalogue() -> Catalogue:
    """Return the example page; reading it takes longer than the rest of a test."""
    return desired(load_example({}))


class Station:
    """The engine, its clock, and what lies on its log."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.metrics = Metrics()
        self.backend = Backend(folder, {}, lambda: self.now)
        self.backend.apply(PAGE, catalogue())
        self.sources = SourceTokens(
            tuple(SourceToken(PAGE, name, kind, (digest(token_of(name)),)) for name, kind in KINDS.items())
        )

    def intake(self, **other: Any) -> APIRouter:
        """Return the intake's routes; ``other`` replaces parts."""
        return intake_router(self.ways(**other))

    def ways(self, **other: Any) -> WaysIn:
        """Return the intake's handlers; ``other`` replaces parts."""
        parts: dict[str, Any] = {
            "publisher": self.backend.publisher,
            "instances": self.backend.instances,
            "sources": self.sources,
            "vault": self.backend.vault,
            "clock": lambda: self.now,
            "metrics": self.metrics,
        }
        return WaysIn(IntakeDeps(**(parts | other)))

    def events(self) -> list[AnyEvent]:
        """Return all that lies on the log, in order."""
        found, _ = self.backend.log.scan(None, 100_000)
        return [event_of(stored.record) for stored in found]

    def of(self, kind: type[D]) -> list[D]:
        """Return the data of all events of one type."""
        return [event.data for event in self.events() if isinstance(event.data, kind)]

    def alerts(self) -> list[tuple[str, str]]:
        """Return fingerprint and status of every alert on the log."""
        return [(alert.fingerprint, alert.status.value) for alert in self.of(AlertReceived)]

    def letters(self) -> list[bytes]:
        """Return the bytes of every dead letter, opened."""
        return [self.backend.vault.open(letter.key_id, letter.body) for letter in self.of(DeadLettered)]

    def incidents(self) -> list[str]:
        """Return the statuses of the page's incidents, oldest first."""
        self.backend.settle()
        rows = self.backend.pages.tables[INCIDENTS].rows(PAGE).values()
        return [incident.status.value for incident in sorted(rows, key=lambda one: one.created_at)]

    def close(self) -> None:
        self.backend.close()


def app_of(*routers: APIRouter) -> FastAPI:
    """Put routers together with the two error handlers that the edge has."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)

    def problem(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return JSONResponse(error.document(), error.status, headers, media_type="application/problem+json")

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem(request, problem_of(error.errors()))

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    return app


def speak_to(app: FastAPI) -> httpx.AsyncClient:
    """Return a client; what the application raises is raised in it, so that no test can overlook a 500."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tocsin.example")


@asynccontextmanager
async def client_of(*routers: APIRouter) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to routers."""
    async with speak_to(app_of(*routers)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}

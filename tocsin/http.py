"""The one HTTP application: routers put together, and every failure answered as a problem (RFC 9457) or its page."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from consumers.web.errors import of_http
from streams.keys.store import KeyStoreUnavailableError
from streams.log.port import LogUnavailableError
from streams.runtime.problems import ProblemError, overloaded
from streams.runtime.state_store import StoreUnavailableError
from streams.runtime.validation import problem_of as of_fields
from tocsin import __version__

_log = logging.getLogger(__name__)
_AWAY = (LogUnavailableError, StoreUnavailableError, KeyStoreUnavailableError)
Answer = Callable[[Request, ProblemError], Response]


class Life(Protocol):
    """What begins before the first request and ends after the last."""

    async def start(self) -> None:
        """Begin; called in the server's event loop."""

    async def stop(self) -> None:
        """End within bounds."""


def application(routers: Sequence[APIRouter], life: Life, answer: Answer) -> FastAPI:
    """Return the application; ``answer`` dresses a problem for whoever asked."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await life.start()
        yield
        await life.stop()

    app = FastAPI(
        title="Tocsin",
        version=__version__,
        summary="Tells the right people what is down and when it is back.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for router in routers:
        app.include_router(router)

    async def on_error(request: Request, error: Exception) -> Response:
        return answer(request, problem_of(error))

    for kind in (ProblemError, RequestValidationError, HTTPException, *_AWAY, Exception):
        app.add_exception_handler(kind, on_error)
    return app


def problem_of(error: Exception) -> ProblemError:
    """Return what a failed request is told; of what nobody foresaw it is told only that, and the log the rest."""
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return of_fields(error.errors())
        case LogUnavailableError():
            return overloaded("The log cannot take this now; nothing was stored.")
        case StoreUnavailableError() | KeyStoreUnavailableError():
            return overloaded("What is asked for cannot be reached now.")
        case HTTPException():
            return of_http(error)
        case _:
            _log.error("a request failed", exc_info=error)
            return ProblemError(500, "Something broke here", "It was logged for the operators of this page.")

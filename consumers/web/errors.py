"""What is wrong with a request, in the language of who asked: a problem (RFC 9457) for programs, a page for people."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consumers.web.public import HTML, HTML_HEADERS
from consumers.web.render.page import Pages
from streams.domain.model import PageView
from streams.runtime.problems import ProblemError

PROBLEM = "application/problem+json"
_MACHINES = ("/api/", "/ingest/", "/v2/", "/events/", "/healthz", "/readyz", "/metrics")


def answer(request: Request, problem: ProblemError, pages: Pages, view: PageView | None) -> Response:
    """Return the answer to a request that cannot be served; ``view`` dresses the page for people."""
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if is_for_people(request):
        body = pages.error(view, problem.status, _for_people(problem))
        return Response(body, problem.status, {**HTML_HEADERS, **headers}, media_type=HTML)
    return JSONResponse(problem.document(), problem.status, headers, media_type=PROBLEM)


def _for_people(problem: ProblemError) -> str:
    """Say what was wrong with the fields of a form; the messages never quote what was typed."""
    return " ".join(f"{error.field.replace('_', ' ').capitalize()}: {error.message}." for error in problem.errors)


def is_for_people(request: Request) -> bool:
    """Whether a browser asked for a page; what machines ask for is answered in their language even there."""
    path = request.url.path
    return "text/html" in request.headers.get("accept", "") and not path.startswith(_MACHINES)


def of_http(error: HTTPException) -> ProblemError:
    """Return the problem of what the framework itself refuses (404, 405)."""
    status = HTTPStatus(error.status_code)
    detail = "" if error.detail == status.phrase else str(error.detail)
    return ProblemError(error.status_code, status.phrase, detail)

"""Speaks to a Tocsin server's HTTP API and decodes its problems; it prints nothing and decides nothing.

Errors are RFC 9457 problems (``application/problem+json``) with the members ``field`` and ``errors``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""A command answers within about a second (202 if its verdict is late); the rest is for slow networks."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ClientError(Exception):
    """A request that did not succeed; ``lines`` say why, one cause a line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class UnreachableError(ClientError):
    """No answer came: wrong address, nobody listens, or the network broke. Whether a POST was done is not known."""


class RefusedError(ClientError):
    """The server answered with an error; ``status`` is the HTTP status."""

    def __init__(self, status: int, lines: list[str]) -> None:
        super().__init__(lines)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """A successful answer. ``late`` (202): accepted and durable, but its verdict was not known in time."""

    document: Any
    late: bool = False


class ApiClient:
    """One server, and who asks. Use it as a context manager.

    ``server`` is its base URL, ``token`` an operator's. Every method raises UnreachableError or RefusedError.
    """

    def __init__(self, server: str, token: str | None = None, *, transport: httpx.BaseTransport | None = None) -> None:
        self._server = server.rstrip("/")
        host = urlsplit(server).hostname
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=host not in _LOOPBACK,  # a proxy of the environment does not reach this machine's own ports
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, query: Mapping[str, str | int | None] | None = None) -> Any:
        """Return the document at ``path``; members of ``query`` that are None are left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._ask("GET", path, params=given).document

    def post(self, path: str, body: Any, *, key: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Post ``body`` as JSON; a second request with the same idempotency ``key`` is not done again."""
        own = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        return self._ask("POST", path, json=body, headers=own)

    def put(self, path: str, body: Any) -> Answer:
        """Put ``body`` as JSON in the place of what is at ``path``."""
        return self._ask("PUT", path, json=body)

    def delete(self, path: str, *, key: str | None = None) -> Answer:
        """Delete what is at ``path``."""
        return self._ask("DELETE", path, headers={"Idempotency-Key": key} if key else {})

    def _ask(self, method: str, path: str, **options: Any) -> Answer:
        try:
            response = self._http.request(method, f"{self._server}{path}", **options)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise UnreachableError([f"{self._server} cannot be reached: {_reason(error)}"]) from error
        if not response.is_success:
            raise RefusedError(response.status_code, problem_lines(response))
        return Answer(_document(response), late=response.status_code == HTTPStatus.ACCEPTED)


def path_of(*parts: str) -> str:
    """Return ``/api/v1/...`` with each part as one segment, whatever it holds."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def problem_lines(response: httpx.Response) -> list[str]:
    """Return ``field: message`` for each field that is wrong, else what the problem says of itself."""
    problem = _document(response)
    if not isinstance(problem, dict):
        return [f"the server answered {response.status_code} {response.reason_phrase}".rstrip()]
    errors = problem.get("errors")
    lines = [f"{error.get('field', '?')}: {error.get('message', '')}" for error in _objects(errors)]
    if lines:
        return lines
    title, detail = problem.get("title") or "refused", problem.get("detail")
    return [f"{title}: {detail}" if detail else f"{title} ({response.status_code})"]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _document(response: httpx.Response) -> Any:
    """Return the JSON of an answer, None where it has none."""
    if "json" not in response.headers.get("content-type", ""):
        return None
    try:
        return response.json()
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    match error:
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.ConnectError():
            return "nobody answers there"
        case _:
            return str(error) or type(error).__name__

"""Finds the token that a monitor sends: monitors can be taught one way or another, hence all the usual ones."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from streams.runtime.problems import ProblemError
from streams.runtime.secrets import SourceToken, SourceTokens

HEADER = "x-tocsin-token"
CHALLENGE = 'Bearer realm="tocsin", Basic realm="tocsin"'


def is_authentic(request: Request, source: SourceToken) -> bool:
    """Whether any of the tokens that the request carries is one of the source's."""
    return any(SourceTokens.accepts(source, token) for token in tokens_of(request))


def tokens_of(request: Request) -> Iterator[str]:
    """Yield the tokens of a request: bearer, basic-auth password (the user is free), ``X-Tocsin-Token``, ``?token=``."""
    for value in request.headers.getlist("authorization"):
        scheme, _, rest = value.partition(" ")
        match scheme.lower():
            case "bearer":
                yield rest.strip()
            case "basic":
                yield _password(rest.strip())
            case _:
                pass
    yield from request.headers.getlist(HEADER)
    yield from request.query_params.getlist("token")


def _password(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode("utf-8", "surrogateescape").partition(":")[2]
    except (Base64Error, ValueError):
        return ""


def unauthorized() -> Response:
    """Return the answer to a request without the source's token."""
    problem = ProblemError(
        401,
        "Who are you?",
        "Send the source's token: as a bearer token, as the password of basic authentication, in X-Tocsin-Token, or as ?token=.",
    )
    body = msgspec.json.encode(problem.document())
    return Response(body, problem.status, {"WWW-Authenticate": CHALLENGE}, "application/problem+json")

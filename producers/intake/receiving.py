"""Reads a request's body within bounds, on the wire and inflated. Knows nothing of what is in it."""

import zlib
from gzip import GzipFile
from io import BytesIO

from starlette.requests import Request

from streams.runtime.problems import ProblemError

MIB = 1024 * 1024
_GZIP = frozenset({"gzip", "x-gzip"})


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body as it was sent, at most ``limit`` bytes.

    Raises ProblemError 413 as soon as it is known to be longer, and ClientDisconnect where the sender left.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:19]) > limit:
        raise too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def is_gzip(request: Request) -> bool:
    """Whether the sender says that the body is compressed with gzip, the one coding that is read."""
    return request.headers.get("content-encoding", "").strip().lower() in _GZIP


def inflate(body: bytes, limit: int) -> bytes | None:
    """Return the body uncompressed, None where it is no gzip; raises ProblemError 413 beyond ``limit`` bytes."""
    try:
        plain = GzipFile(fileobj=BytesIO(body)).read(limit + 1)
    except (OSError, EOFError, zlib.error):
        return None
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def too_large(limit: int) -> ProblemError:
    """Return the problem of a body that is too long (413)."""
    return ProblemError(413, "Too large", f"A body has at most {limit // MIB} MiB, uncompressed too.")

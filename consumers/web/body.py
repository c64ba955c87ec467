"""Bytes that are ready to be sent: a body with its validators, its compressed twin and the ASGI messages around it."""

import gzip
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from starlette.types import Message

Headers = Sequence[tuple[bytes, bytes]]
_WORTH_COMPRESSING = 500
_LEVEL = 6


class Encoded:
    """One encoding of a body; its messages are made once and never changed."""

    __slots__ = ("body", "etag", "head", "not_modified", "start")

    def __init__(self, content: bytes, etag: bytes, headers: Headers, not_modified: Headers) -> None:
        self.etag = etag
        own = [(b"content-length", str(len(content)).encode()), (b"etag", etag), *headers]
        self.start: Message = {"type": "http.response.start", "status": 200, "headers": own}
        self.body: Message = {"type": "http.response.body", "body": content}
        self.head: Message = {"type": "http.response.body", "body": b""}
        self.not_modified: Message = {
            "type": "http.response.start", "status": 304, "headers": [(b"etag", etag), *not_modified],
        }  # fmt: skip


class ReadyBody:
    """A body and, where it is worth it, its gzip twin. Each has a strong ETag of its own, a hash of the content."""

    __slots__ = ("gzipped", "plain")

    def __init__(self, content: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        tag = sha256(content).hexdigest()[:20]
        small = len(content) < _WORTH_COMPRESSING
        kept = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if not small:
            kept.append((b"vary", b"accept-encoding"))
        typed = [(b"content-type", media_type.encode()), *kept]
        # What a 304 must repeat (RFC 9110, 15.4.5); the rest is with the reader already.
        again = [pair for pair in kept if pair[0] in _REPEATED]
        self.plain = Encoded(content, f'"{tag}"'.encode(), typed, again)
        self.gzipped = self.plain
        if not small:
            packed = gzip.compress(content, _LEVEL, mtime=0)
            self.gzipped = Encoded(packed, f'"{tag}-gzip"'.encode(), [*typed, (b"content-encoding", b"gzip")], again)

    def answer(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> tuple[Message, Message]:
        """Return the two messages to send: the body, its head, or that nothing changed."""
        found, known = self.plain, None
        for name, value in headers:
            if name == b"accept-encoding":
                found = self.gzipped if takes_gzip(value) else self.plain
            elif name == b"if-none-match":
                known = value
        if known is not None and names(known, found.etag):
            return found.not_modified, found.head
        return found.start, found.head if method == "HEAD" else found.body


_REPEATED = {b"cache-control", b"vary", b"access-control-allow-origin"}


@lru_cache(maxsize=256)
def takes_gzip(accepted: bytes) -> bool:
    """Whether an Accept-Encoding allows gzip: by name, or by ``*``, and not with a weight of zero."""
    for coding in accepted.lower().replace(b" ", b"").split(b","):
        name, _, weight = coding.partition(b";")
        if name in (b"gzip", b"x-gzip", b"*"):
            return not weight or weight.removeprefix(b"q=").strip(b"0.") != b""
    return False


@lru_cache(maxsize=1024)
def names(known: bytes, etag: bytes) -> bool:
    """Whether an If-None-Match names this ETag; compared weakly, as RFC 9110 has it for this header."""
    candidates = (candidate.strip().removeprefix(b"W/") for candidate in known.split(b","))
    return any(candidate in (etag, b"*") for candidate in candidates)

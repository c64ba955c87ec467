"""What a fake vendor is asked, what it answers, and the ways in which it misbehaves. Knows no vendor and no socket."""

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it came; the names of ``headers`` are in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""

    @property
    def path(self) -> str:
        """The path, as sent."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        """The parsed body; raises ValueError."""
        return json.loads(self.raw)

    @property
    def form(self) -> dict[str, list[str]]:
        """The fields of a form."""
        return parse_qs(self.raw.decode(), keep_blank_values=True)


@dataclass(frozen=True)
class Reply:
    """Answer so. ``accepts`` says that the vendor does what it was asked all the same, whatever it answers."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    accepts: bool = False

    @property
    def head(self) -> bytes:
        """The status line and the headers."""
        lines = {"content-length": str(len(self.body)), **self.headers}
        if self.status in {204, 304}:
            lines.pop("content-length")
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {self.status} Answer\r\n{text}\r\n".encode()


def json_reply(status: int, document: object, headers: dict[str, str] | None = None) -> Reply:
    """Return an answer of JSON."""
    return Reply(status, {"content-type": "application/json", **(headers or {})}, json.dumps(document).encode())


@dataclass(frozen=True)
class Hang:
    """Read the request and say nothing until the other side gives up."""

    accepts: bool = True


@dataclass(frozen=True)
class Reset:
    """Send the first ``after`` bytes of the good answer, head included, and reset the connection.

    Without ``hard`` it is closed instead, so that what was sent surely arrives.
    """

    after: int = 0
    hard: bool = True
    accepts: bool = True


@dataclass(frozen=True)
class Truncate:
    """Send the good answer without the last half of its body, and close the connection."""

    accepts: bool = True


Misbehaviour: TypeAlias = Reply | Hang | Reset | Truncate

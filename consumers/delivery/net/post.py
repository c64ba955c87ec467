"""Posts a body once, through the guard, and says what came back. It decides nothing about answers and knows no vendor.

It talks to the transport itself: httpx's client logs every URL whole, and the URLs of webhooks and bots are secrets.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import aclosing
from ipaddress import ip_network
from typing import Any, TypeVar

import httpx
import msgspec

from consumers.delivery.net.guard import Guard, RefusedAddressError
from consumers.delivery.net.http import GuardedTransport
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope
from schemas.shapes import decoder

T = TypeVar("T")
TIMEOUT = 15.0
"""Seconds for one attempt, from resolving the name to the end of the answer."""
ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer that are read."""
_IDENTITY = {"accept-encoding": "identity", "user-agent": "Tocsin"}


class Answer(msgspec.Struct, frozen=True):
    """What a server answered; the names of ``headers`` are in lower case, ``body`` is what came of it up to the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> str | None:
        """The header as it came."""
        return self.headers.get("retry-after")

    def read(self, kind: type[T]) -> T | None:
        """Return the body as JSON of this type, None where it is none."""
        try:
            return decoder(kind).decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return None


class _Attempt:
    """What is known of one request while it is under way."""

    def __init__(self) -> None:
        self.left = False
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = b""

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        """Note (httpcore's trace extension) that the body began to leave: before that no server can act on it."""
        if event == "http11.send_request_body.started":
            self.left = True


class Poster:
    """Sends POST requests over connections that the guard checked, each once. To be used from one event loop."""

    def __init__(
        self, guard: Guard, *, connections: int, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None
    ) -> None:
        self._timeout = timeout
        self._transport = GuardedTransport(guard, connections=connections, context=tls)

    async def post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer | Outcome:
        """Post once; return the answer, or how the attempt ended where none came. Never raises for what the network does.

        An answer whose status came and whose rest did not is an answer.
        """
        attempt = _Attempt()
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(attempt, url, headers, body)
        except RefusedAddressError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            if attempt.status is None:
                what = "no answer" if isinstance(error, TimeoutError) else "the connection broke"
                return InDoubt(f"{what} after the request had left") if attempt.left else Retry("no connection")
        assert attempt.status is not None, "an exchange ends with an answer"
        return Answer(attempt.status, attempt.headers, attempt.body)

    async def post_json(self, url: httpx.URL, document: bytes) -> Answer | Outcome:
        """Post what is JSON already; see ``post``."""
        return await self.post(url, {"content-type": "application/json"}, document)

    async def close(self) -> None:
        """Close the idle connections."""
        await self._transport.aclose()

    async def _exchange(self, attempt: _Attempt, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> None:
        extensions = {"trace": attempt.trace, "timeout": httpx.Timeout(self._timeout).as_dict()}
        request = httpx.Request("POST", url, headers={**_IDENTITY, **headers}, content=body, extensions=extensions)
        async with aclosing(await self._transport.handle_async_request(request)) as response:
            attempt.status = response.status_code
            attempt.headers = {name.lower(): value for name, value in response.headers.items()}
            async for part in response.aiter_raw():
                attempt.body += part[: ANSWER_LIMIT - len(attempt.body)]
                if len(attempt.body) >= ANSWER_LIMIT:
                    return


def trusting() -> Guard:
    """Return a guard for addresses that the operator wrote into the settings: it lets everything through."""
    return Guard([ip_network("0.0.0.0/0"), ip_network("::/0")])

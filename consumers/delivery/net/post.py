"""Posts a body once, through the guard, and says what came back. It decides nothing about answers and knows no vendor.

Neither URLs nor what an error says of them is ever logged: the URLs of webhooks and bots are secrets.
"""

import asyncio
import ssl
from collections.abc import Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, TypeVar

import httpx
import msgspec

from consumers.delivery.net.guard import Guard, RefusedAddressError
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope
from schemas.shapes import decoder

if TYPE_CHECKING:
    from consumers.delivery.net.http import Body

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


class _Answered:
    """What came of an answer so far: nothing, its head, or more."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = b""


class Poster:
    """Sends POST requests over connections that the guard checked, each once. To be used from one event loop."""

    def __init__(
        self, guard: Guard, *, connections: int, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None
    ) -> None:
        # Who sends nothing, as most commands do, need not wait for aiohttp to be loaded.
        from consumers.delivery.net.http import CLIENT_ERRORS, Body, GuardedClient  # noqa: PLC0415

        self._timeout = timeout
        self._client = GuardedClient(guard, connections=connections, context=tls)
        self._body, self._errors = Body, CLIENT_ERRORS

    async def post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer | Outcome:
        """Post once; return the answer, or how the attempt ended where none came. Never raises for what the network does.

        An answer whose status came and whose rest did not is an answer.
        """
        content, came = self._body(body), _Answered()
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(came, url, headers, content)
        except RefusedAddressError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        except self._errors as error:
            if came.status is None:
                what = "no answer" if isinstance(error, TimeoutError) else "the connection broke"
                return InDoubt(f"{what} after the request had left") if content.left else Retry("no connection")
        assert came.status is not None, "an exchange ends with an answer"
        return Answer(came.status, came.headers, came.body)

    async def post_json(self, url: httpx.URL, document: bytes) -> Answer | Outcome:
        """Post what is JSON already; see ``post``."""
        return await self.post(url, {"content-type": "application/json"}, document)

    async def close(self) -> None:
        """Close the idle connections."""
        await self._client.close()

    async def _exchange(self, came: _Answered, url: httpx.URL, headers: Mapping[str, str], body: "Body") -> None:
        async with self._client.post(url, {**_IDENTITY, **headers}, body) as response:
            came.status = response.status
            came.headers = {name.lower(): value for name, value in response.headers.items()}
            async for part in response.content.iter_any():
                came.body += part[: ANSWER_LIMIT - len(came.body)]
                if len(came.body) >= ANSWER_LIMIT:
                    return


def trusting() -> Guard:
    """Return a guard for addresses that the operator wrote into the settings: it lets everything through."""
    return Guard([ip_network("0.0.0.0/0"), ip_network("::/0")])

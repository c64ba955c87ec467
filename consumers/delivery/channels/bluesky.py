"""The Bluesky channel: posts for accounts of ours; what is said later about an incident replies to what was said before.

https://docs.bsky.app/docs/advanced-guides/posts. A post is a record in the account's repository. Its key and all that stands
in it follow from the message, so that writing it again changes nothing. Logins are few a day: a session is kept.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import msgspec

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import LONGEST_WAIT, classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.accounts import NOT_PUBLIC, handles, is_public, known_handle, masked, server_url
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.rates import Limits
from consumers.delivery.render.graphemes import clusters
from consumers.delivery.render.posts import post_of
from consumers.delivery.render.text import utf8_bytes
from consumers.delivery.render.words import moment
from consumers.delivery.settings import ChannelSettings, Secret, setting
from schemas.shapes import decoder

LIMIT, BYTES = 300, 3000
"""Clusters and bytes of a post."""
TIMEOUT = 15.0
"""Seconds for one request; an attempt makes up to four, to log in again and to write."""
CONNECTIONS = 2
COLLECTION = "app.bsky.feed.post"
_IS_HANDLE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_TID = "234567abcdefghijklmnopqrstuvwxyz"

SESSION_OVER = frozenset({"ExpiredToken", "InvalidToken"})
"""Errors of a 400 that a new login mends."""
OF_THE_ACCOUNT = frozenset({"AccountTakedown", "AccountSuspended", "AccountDeactivated", "AuthFactorTokenRequired"})
"""Errors, whatever their status, that nothing mends but a person who looks after the account."""


class BlueskyAccount(ChannelSettings, frozen=True):
    """One account."""

    app_password: Annotated[Secret, setting("an app password", "Lets Tocsin post for the account.")]
    service: Annotated[str, setting("an https URL of a host", "Where the account logs in.", check=server_url)] = (
        "https://bsky.social"
    )


class BlueskySettings(ChannelSettings, frozen=True):
    """``channels.bluesky``."""

    accounts: Annotated[
        dict[str, BlueskyAccount],
        setting("a mapping of handles such as status.acme.example", "The accounts.", check=handles(_IS_HANDLE)),
    ]


class _SessionOverError(Exception):
    """The server does not know our session any more."""


class RefusedError(Exception):
    """A server answered with anything but a success; the names of ``headers`` are in lower case, ``error`` is its word."""

    def __init__(self, status: int, headers: Mapping[str, str], error: str = "") -> None:
        super().__init__(f"answered {status}")
        self.status, self.headers, self.error = status, headers, error


class _Error(msgspec.Struct):
    error: str = ""


class BlueskyChannel:
    """Posts, one thread an incident. To be used from one event loop."""

    capabilities = Capabilities(
        name="bluesky",
        title="Bluesky",
        address_field="bluesky",
        address_hint="status.acme.example",
        idempotent=True,
        confirm_by=ConfirmBy.OPERATOR,
        claim=CONNECTIONS,
        limits=Limits(sender="1666/h, 11666/d"),
        waits_together=True,
        threads=True,
        posts_publicly=True,
    )

    def __init__(self, settings: BlueskySettings, context: ChannelContext, *, timeout: float = TIMEOUT) -> None:
        self._accounts = settings.accounts
        self._now = context.now
        self._timeout = timeout
        self._sessions: dict[str, Any] = {}
        self._logins: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def validate(self, address: str) -> str:
        """Return the handle as the settings have it; raises AddressError for one that they have not."""
        return known_handle(address, self._accounts)

    def mask(self, address: str) -> str:
        return masked(address)

    async def send(self, message: Message) -> Outcome:
        if not is_public(message):
            return NOT_PUBLIC
        try:
            handle = self.validate(message.endpoint.address)
        except AddressError as error:
            return Rejected(Scope.MESSAGE, str(error))
        try:
            return await self._write(handle, message)
        except _SessionOverError:
            pass
        try:
            return await self._write(handle, message)
        except _SessionOverError:
            return Rejected(Scope.CHANNEL, "a new session is not accepted either")

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.request.close()
        self._sessions.clear()

    async def _write(self, handle: str, message: Message) -> Outcome:
        """Write the record once, with the session at hand or a new one; raises _SessionOverError."""
        session = await self._session(handle)
        if isinstance(session, Retry | Rejected):
            return session
        try:
            async with asyncio.timeout(self._timeout):
                written = await session.com.atproto.repo.put_record(_record(handle, message))
        except Exception as error:  # the SDK raises its own, httpx's and pydantic's
            ended = ended_by(error, self._now())
            if ended is None:
                await self._forget(handle, session)
                raise _SessionOverError from None
            return ended
        return Sent(f"{written.uri}|{written.cid}")

    async def _session(self, handle: str) -> Any | Retry | Rejected:
        """Return the account's session (an AsyncClient), made if there is none; as nothing is written by that, no failure is a doubt."""
        async with self._logins[handle]:
            if handle in self._sessions:
                return self._sessions[handle]
            account = self._accounts[handle]
            session = _client(account.service, self._timeout)
            try:
                async with asyncio.timeout(self._timeout):
                    await session.login(handle, account.app_password.reveal(), fetch_bsky_profile=False)
            except Exception as error:  # the SDK raises its own, httpx's and pydantic's
                await session.request.close()
                return _not_logged_in(ended_by(error, self._now()))
            self._sessions[handle] = session
            return session

    async def _forget(self, handle: str, session: Any) -> None:
        if self._sessions.get(handle) is session:  # else another attempt has a new one already
            del self._sessions[handle]
        await session.request.close()


def ended_by(error: Exception, now: datetime) -> Outcome | None:
    """Return how an attempt ended that raised; None where the session was not accepted."""
    if isinstance(error, RefusedError):
        return classify(error, now=now)
    if isinstance(error, _sdk().exceptions.LoginRequiredError):
        return None
    if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Retry("no connection")
    return InDoubt("no answer that could be understood")


def classify(refused: RefusedError, *, now: datetime) -> Outcome | None:
    """Return what a refusal means; None where a new login may mend it."""
    status, headers, error = refused.status, refused.headers, refused.error
    if error in OF_THE_ACCOUNT:
        return Rejected(Scope.CHANNEL, f"answered {status}: {error}")
    if status == 401 or (status == 400 and error in SESSION_OVER):
        return None
    reset = headers.get("ratelimit-reset", "")
    if status == 429 and reset.isascii() and reset.isdigit() and len(reset) <= 11:
        wait = datetime.fromtimestamp(int(reset), UTC) - now
        return Retry("answered 429", min(max(wait, timedelta()), LONGEST_WAIT))
    return classify_http(status, now=now, retry_after=headers.get("retry-after"), address=Scope.CHANNEL)


def _not_logged_in(ended: Outcome | None) -> Retry | Rejected:
    match ended:
        case Retry():
            return ended
        case InDoubt():
            return Retry("the login was not answered")
        case _:
            return Rejected(Scope.CHANNEL, "the login is refused")


def measure(text: str) -> int:
    """Return the length of a post in clusters, or in tenths of its bytes if that is more."""
    return max(clusters(text), -(-utf8_bytes(text) * LIMIT // BYTES))


def record_key(message: Message) -> str:
    """Return the key of a message's record: a TID (https://atproto.com/specs/tid) of the second in which it was published.

    What lies below the second, and the clock's id, are 30 bits of a hash of the notification's id.
    """
    chance = int.from_bytes(hashlib.sha256(message.notification.encode()).digest()[:8], "big")
    second = int(min(max(moment(message.notice.published_at).timestamp(), 0), 2**33))
    number = (second * 1_000_000 + chance % 1_000_000) << 10 | chance // 1_000_000 % 1024
    return "".join(_TID[number >> shift & 31] for shift in range(60, -1, -5))


def _record(handle: str, message: Message) -> Any:
    models = _sdk().models
    text = post_of(message, LIMIT, measure)
    posted = moment(message.notice.published_at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    refs = [
        models.ComAtprotoRepoStrongRef.Main(uri=uri, cid=cid)
        for uri, _, cid in (receipt.partition("|") for receipt in message.earlier)
        if cid
    ]
    reply = models.AppBskyFeedPost.ReplyRef(root=refs[0], parent=refs[-1]) if refs else None
    record = models.AppBskyFeedPost.Record(created_at=posted, text=text, reply=reply, facets=_links(text))
    return models.ComAtprotoRepoPutRecord.Data(
        repo=handle, collection=COLLECTION, rkey=record_key(message), record=record, validate_=True
    )


def _links(text: str) -> Any:
    """Return where links lie in a text; Bluesky makes none by itself."""
    sdk = _sdk()
    found = sdk.utils.facet_detection.detect_facets(text)  # hashtags too, which nobody meant
    found = [each for each in found if isinstance(each.features[0], sdk.models.AppBskyRichtextFacet.Link)]
    return found or None


def _client(service: str, timeout: float) -> Any:
    sdk = _sdk()
    request = sdk.request.AsyncRequest(timeout=timeout, trust_env=False, event_hooks={"response": [_refuse]})
    return sdk.AsyncClient(service, request=request)


def _sdk() -> Any:
    """Return the SDK; to import it takes a second."""
    import atproto_client  # type: ignore[import-untyped]  # noqa: PLC0415 -- it has no types, and costs a second

    return atproto_client


async def _refuse(response: httpx.Response) -> None:
    """Raise for anything but a success: the SDK would follow a redirect with our credentials, and trips over strange bodies."""
    if response.is_success:
        return
    error = _Error()
    with suppress(httpx.HTTPError, msgspec.DecodeError, RecursionError):  # then the status alone decides
        error = decoder(_Error).decode(await response.aread())
    raise RefusedError(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, error.error
    )


def bluesky_channel(settings: BlueskySettings, context: ChannelContext) -> BlueskyChannel:
    """Make the channel from its settings. Imports the SDK: no sending shall wait for that."""
    _sdk()
    return BlueskyChannel(settings, context)

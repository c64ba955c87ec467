"""The Mastodon channel: posts for accounts of ours; what is said later about an incident replies to what was said before.

https://docs.joinmastodon.org/methods/statuses/#create. The notification's id is the Idempotency-Key, which a server remembers
for an hour. What has been in doubt for longer is therefore not sent again, but looked for among the account's posts.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.channels.mastodon_posts import MOST, Post, found_among
from consumers.delivery.classify import LONGEST_WAIT, classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.accounts import NOT_PUBLIC, handles, is_public, known_handle, masked, server_url
from consumers.delivery.net.post import Answer
from consumers.delivery.net.threads import BlockingCalls
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.rates import Limits
from consumers.delivery.render.posts import mastodon_length, post_of
from consumers.delivery.render.words import moment
from consumers.delivery.settings import ChannelSettings, Secret, setting

if TYPE_CHECKING:
    from mastodon import Mastodon

T = TypeVar("T")
TIMEOUT = 15.0
"""Seconds for each wait for bytes of the answer."""
CONNECTIONS = 2
KEY_REMEMBERED = timedelta(minutes=55)
"""How long a server surely knows an Idempotency-Key: an hour, less what clocks and a slow answer take."""
_FORGOTTEN = "the server has forgotten the key"
_IS_HANDLE = r"\w+([\w.-]*\w)?@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"


class MastodonAccount(ChannelSettings, frozen=True):
    """One account and its server."""

    server: Annotated[str, setting("an https URL of a host", "The server on which the account is.", check=server_url)]
    access_token: Annotated[
        Secret, setting("an access token with write:statuses", "Lets an application post for the account.")
    ]
    limit: Annotated[
        int, setting("a whole number from 100 to 100000", "How long a post may be there.", ge=100, le=100_000)
    ] = 500
    visibility: Annotated[Literal["public", "unlisted", "private"], setting(None, "Who sees the posts.")] = "public"


class MastodonSettings(ChannelSettings, frozen=True):
    """``channels.mastodon``."""

    accounts: Annotated[
        dict[str, MastodonAccount],
        setting("a mapping of handles such as status@mastodon.example", "The accounts.", check=handles(_IS_HANDLE)),
    ]


class _Status(msgspec.Struct):
    id: str


class _Account(msgspec.Struct):
    id: str


class MastodonChannel:
    """Posts, one thread an incident."""

    capabilities = Capabilities(
        name="mastodon",
        title="Mastodon",
        address_field="mastodon",
        address_hint="status@acme.example",
        idempotent=True,
        confirm_by=ConfirmBy.OPERATOR,
        claim=CONNECTIONS,
        limits=Limits(sender="300/5m"),
        waits_together=True,
        threads=True,
        posts_publicly=True,
    )

    def __init__(self, settings: MastodonSettings, context: ChannelContext, *, timeout: float = TIMEOUT) -> None:
        self._accounts = settings.accounts
        self._now = context.now
        self._timeout = timeout
        self._calls = BlockingCalls("mastodon", CONNECTIONS, 4 * timeout)

    def validate(self, address: str) -> str:
        """Return the handle as the settings have it; raises AddressError for one that they have not."""
        return known_handle(address, self._accounts)

    def mask(self, address: str) -> str:
        name, _, server = address.rpartition("@")
        return f"{masked(name)}@{server}"

    async def send(self, message: Message) -> Outcome:
        if not is_public(message):
            return NOT_PUBLIC
        try:
            account = self._accounts[self.validate(message.endpoint.address)]
        except AddressError as error:
            return Rejected(Scope.MESSAGE, str(error))
        text = post_of(message, account.limit, mastodon_length)
        # No attempt was made before it was published, so a key is no older than that.
        if message.in_doubt and self._now() - moment(message.notice.published_at) > KEY_REMEMBERED:
            return await self._calls.run(partial(self._looked_for, account, text, message))
        return await self._calls.run(partial(self._post, account, text, message))

    async def close(self) -> None:
        await self._calls.close()

    def _post(self, account: MastodonAccount, text: str, message: Message) -> Outcome:
        """Post; where what it replies to is gone, and the server has therefore refused it, post it by itself."""
        parent = message.earlier[-1] if message.earlier else None
        answer = self._request(account, text, message.notification, parent)
        if parent is not None and isinstance(answer, Answer) and answer.status == 404:
            answer = self._request(account, text, message.notification, None)
        return classify(answer, now=self._now()) if isinstance(answer, Answer) else answer

    def _looked_for(self, account: MastodonAccount, text: str, message: Message) -> Outcome:
        """Return ``Sent`` where the account shows the post; that it does not is no proof that it never was."""
        name = message.endpoint.address.lstrip("@").partition("@")[0]
        owner = self._asked(account, lambda server: server.account_lookup(name), _Account)
        if isinstance(owner, InDoubt):
            return owner
        posts = self._asked(account, lambda server: server.account_statuses(owner.id, limit=MOST), list[Post])
        if isinstance(posts, InDoubt):
            return posts
        found = found_among(posts, text, moment(message.notice.published_at), message.earlier)
        return InDoubt(f"{_FORGOTTEN}, and the account does not show it") if found is None else Sent(found)

    def _asked(self, account: MastodonAccount, ask: Callable[["Mastodon"], object], kind: type[T]) -> T | InDoubt:
        from mastodon import Mastodon  # noqa: PLC0415 -- as below

        from consumers.delivery.net.once import OneRequest  # noqa: PLC0415 -- as below

        # What is public is shown to anybody, and to a token only if it has the scope to read.
        token = account.access_token.reveal() if account.visibility == "private" else None
        answer = OneRequest(self._timeout).run(
            lambda session: ask(
                Mastodon(
                    access_token=token,
                    api_base_url=account.server,
                    ratelimit_method="throw",
                    request_timeout=self._timeout,
                    session=session,
                )
            )
        )
        if not isinstance(answer, Answer):
            return InDoubt(f"{_FORGOTTEN}; the server cannot be asked now")
        found = answer.read(kind) if answer.status == 200 else None
        return InDoubt(f"{_FORGOTTEN}; asked, the server answered {answer.status}") if found is None else found

    def _request(self, account: MastodonAccount, text: str, key: str, parent: str | None) -> Answer | Outcome:
        from mastodon import Mastodon  # noqa: PLC0415 -- a second, for those who switch Mastodon on

        from consumers.delivery.net.once import OneRequest  # noqa: PLC0415 -- the same

        return OneRequest(self._timeout).run(
            lambda session: Mastodon(
                access_token=account.access_token.reveal(),
                api_base_url=account.server,
                ratelimit_method="throw",  # it would sleep, and post again
                request_timeout=self._timeout,
                session=session,
            ).status_post(text, in_reply_to_id=parent, visibility=account.visibility, idempotency_key=key)
        )


def classify(answer: Answer, *, now: datetime) -> Outcome:
    """Return what an answer means for a post."""
    if answer.status // 100 == 2:
        status = answer.read(_Status)
        return Sent(status.id) if status and status.id else InDoubt("the answer was not Mastodon's")
    if answer.status == 429 and (reset := _time(answer.headers.get("x-ratelimit-reset"))) is not None:
        return Retry("answered 429", min(max(reset - now, timedelta()), LONGEST_WAIT))
    return classify_http(answer.status, now=now, retry_after=answer.retry_after, address=Scope.CHANNEL)


def _time(text: str | None) -> datetime | None:
    """Return the time in ``X-RateLimit-Reset`` (ISO 8601), None where there is none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else None


def mastodon_channel(settings: MastodonSettings, context: ChannelContext) -> MastodonChannel:
    """Make the channel from its settings."""
    return MastodonChannel(settings, context)

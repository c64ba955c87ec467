"""The X channel: posts for accounts of ours; what is said later about an incident replies to what was said before.

https://docs.x.com/x-api/posts/create-post. X knows no idempotency key, but refuses what an account has just said: a refusal
as a duplicate, after an attempt that may have arrived, says that it did. A post with a link costs many times one without.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import LONGEST_WAIT, classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.accounts import NOT_PUBLIC, handles, is_public, known_handle, masked, server_url
from consumers.delivery.net.post import Answer
from consumers.delivery.net.threads import BlockingCalls
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.rates import Limits
from consumers.delivery.render.posts import post_of, x_weight
from consumers.delivery.settings import ChannelSettings, Secret, setting

LIMIT = 280
TIMEOUT = 15.0
"""Seconds for each wait for bytes of the answer."""
CONNECTIONS = 2
_API = "https://api.twitter.com"
_IS_HANDLE = r"[A-Za-z0-9_]{1,15}"
_LIMITS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")

DUPLICATE, NOTHING_TO_REPLY_TO = "duplicate content", "deleted or not visible"
OF_THE_TEXT = ("a bit shorter", "too long")
"""What the ``detail`` of a 403 says that is not about our account, in lower case."""
IN_DOUBT = frozenset({500, 502, 504})
"""What X may answer to a post that it took. A retry would then be refused as a duplicate and be taken for a failure."""


class XAccount(ChannelSettings, frozen=True):
    """The keys of one account: those of the app, and those that the account gave it (OAuth 1.0a, read and write)."""

    consumer_key: Annotated[Secret, setting("the app's API key", "Names the app.")]
    consumer_secret: Annotated[Secret, setting("the app's API key secret", "Opens the app.")]
    access_token: Annotated[Secret, setting("the account's access token", "Names the account to the app.")]
    access_token_secret: Annotated[Secret, setting("the secret of the access token", "Lets the app post.")]


class XSettings(ChannelSettings, frozen=True):
    """``channels.x``."""

    accounts: Annotated[
        dict[str, XAccount],
        setting("a mapping of handles without @", "The accounts that post.", check=handles(_IS_HANDLE)),
    ]
    link: Annotated[
        bool, setting(None, "Whether posts end with a link to the page; X charges a post with a link many times more.")
    ] = False
    api: Annotated[
        str, setting("an https URL of a host", "Where X's API is, if not at its own address.", check=server_url)
    ] = _API


class _Created(msgspec.Struct):
    class Data(msgspec.Struct):
        id: str

    data: Data


class _Refused(msgspec.Struct):
    detail: str


class XChannel:
    """Posts, one thread an incident."""

    capabilities = Capabilities(
        name="x",
        title="X",
        address_field="x",
        address_hint="acmestatus",
        idempotent=True,  # what is in doubt is sent again: if it is there, X refuses it as a duplicate
        confirm_by=ConfirmBy.OPERATOR,
        claim=CONNECTIONS,
        limits=Limits(account="10000/d", sender="100/15m, 300/3h"),
        waits_together=True,
        threads=True,
        posts_publicly=True,
    )

    def __init__(self, settings: XSettings, context: ChannelContext, *, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._now = context.now
        self._timeout = timeout
        self._calls = BlockingCalls("x", CONNECTIONS, 4 * timeout)

    def validate(self, address: str) -> str:
        """Return the handle as the settings have it; raises AddressError for one that they have not."""
        return known_handle(address, self._settings.accounts)

    def mask(self, address: str) -> str:
        return masked(address)

    async def send(self, message: Message) -> Outcome:
        if not is_public(message):
            return NOT_PUBLIC
        try:
            account = self._settings.accounts[self.validate(message.endpoint.address)]
        except AddressError as error:
            return Rejected(Scope.MESSAGE, str(error))
        text = post_of(message, LIMIT, x_weight, link=self._settings.link)
        return await self._calls.run(partial(self._post, account, text, message))

    async def close(self) -> None:
        await self._calls.close()

    def _post(self, account: XAccount, text: str, message: Message) -> Outcome:
        """Post; where what it replies to is gone, and X has therefore refused it, post it by itself."""
        parent = message.earlier[-1] if message.earlier else None
        answer = self._request(account, text, parent)
        if parent is not None and isinstance(answer, Answer) and NOTHING_TO_REPLY_TO in _detail(answer):
            answer = self._request(account, text, None)
        return classify(answer, in_doubt=message.in_doubt, now=self._now()) if isinstance(answer, Answer) else answer

    def _request(self, account: XAccount, text: str, parent: str | None) -> Answer | Outcome:
        import tweepy  # noqa: PLC0415 -- 0.4 s, for those who switch X on

        from consumers.delivery.net.once import OneRequest  # noqa: PLC0415 -- the same

        client = tweepy.Client(
            consumer_key=account.consumer_key.reveal(),
            consumer_secret=account.consumer_secret.reveal(),
            access_token=account.access_token.reveal(),
            access_token_secret=account.access_token_secret.reveal(),
            wait_on_rate_limit=False,  # it would sleep, or ask again and again without sleep
        )

        def create(session: object) -> None:
            client.session = session
            client.create_tweet(text=text, in_reply_to_tweet_id=parent)

        # tweepy's host is fixed, and it waits for ever.
        return OneRequest(self._timeout, self._settings.api).run(create)


def classify(answer: Answer, *, in_doubt: bool, now: datetime) -> Outcome:
    """Return what an answer means for a post, ``in_doubt`` for one that may have arrived before."""
    reason = f"answered {answer.status}"
    detail = _detail(answer)
    if answer.status // 100 == 2:
        created = answer.read(_Created)
        return Sent(created.data.id) if created and created.data.id.isdecimal() else InDoubt("the answer was not X's")
    if answer.status in IN_DOUBT:
        return InDoubt(reason)
    if answer.status == 403 and DUPLICATE in detail:
        return Sent() if in_doubt else Rejected(Scope.MESSAGE, "the account has just said the same")
    if answer.status == 403 and any(words in detail for words in OF_THE_TEXT):
        return Rejected(Scope.MESSAGE, "the text is too long")
    if answer.status == 429 and (reset := _reset(answer.headers.get)) is not None:
        return Retry(reason, min(max(reset - now, timedelta()), LONGEST_WAIT))
    return classify_http(answer.status, now=now, retry_after=answer.retry_after, address=Scope.CHANNEL)


def _detail(answer: Answer) -> str:
    refused = answer.read(_Refused)
    return refused.detail.lower() if refused else ""


def _reset(header: Callable[[str], str | None]) -> datetime | None:
    """Return when a limit that is used up begins anew, the latest if there are several; None where no header says so.

    ``x-rate-limit-reset`` and those of a day are seconds since 1970.
    """
    used_up = [name for name in _LIMITS if header(f"{name}-remaining") in {"0", None}]
    times = [header(f"{name}-reset") or "" for name in used_up]
    seconds = [int(time) for time in times if time.isascii() and time.isdigit() and len(time) <= 11]
    return datetime.fromtimestamp(max(seconds), UTC) if seconds else None


def x_channel(settings: XSettings, context: ChannelContext) -> XChannel:
    """Make the channel from its settings."""
    return XChannel(settings, context)

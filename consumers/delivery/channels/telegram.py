"""The Telegram channel: plain text from the operator's bot to a chat; updates are replies to the first message.

https://core.telegram.org/bots/api#sendmessage. A bot may write only to whoever started it and to chats that it was added to.
"""

import re
import ssl
from dataclasses import replace
from typing import Annotated, Any

import httpx
import msgspec
import orjson

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.post import TIMEOUT, Answer, Poster, trusting
from consumers.delivery.net.url import checked_base
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Scope, Sent
from consumers.delivery.rates import Limits
from consumers.delivery.render.text import fitted, parts_of
from consumers.delivery.settings import ChannelSettings, Secret, setting
from schemas.vocabulary import Kind

TEXT_LIMIT = 4096
"""Characters of a text, counted in UTF-16 as everywhere in Telegram."""
CONNECTIONS = 30
"""Telegram takes about 30 messages a second of one bot."""
_CHAT = re.compile(r"-?[1-9]\d{0,15}", re.ASCII)
_NAME = re.compile(r"@[A-Za-z]\w{3,31}", re.ASCII)
_NO_SUCH_CHAT = re.compile(
    "chat not found|peer_id_invalid|user not found|user_deactivated|chat_write_forbidden|channel_private"
    "|have no rights|not enough rights|need administrator rights|chat_restricted|topic_closed|group chat was deactivated"
    "|upgraded to a supergroup",
    re.IGNORECASE,
)
"""A 400 that says that nothing can be written to this chat (https://github.com/tdlib/telegram-bot-api)."""


def _token(text: str) -> None:
    if not re.fullmatch(r"\d{1,20}:[\w-]{20,100}", text, re.ASCII):
        raise ValueError("not a bot's token")


class TelegramSettings(ChannelSettings, frozen=True):
    """``channels.telegram``."""

    token: Annotated[
        Secret, setting("a bot's token as BotFather gives it: 123456:ABC-DEF...", "Who writes.", check=_token)
    ]
    api: Annotated[
        str,
        setting(
            "an http or https URL without query",
            "Where the Bot API is, your own server for example.",
            check=checked_base,
        ),
    ] = "https://api.telegram.org"


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Result(msgspec.Struct):
    message_id: int


class _Reply(msgspec.Struct):
    """What Telegram answers to everything; ``description`` is for people, and stable."""

    ok: bool
    description: str = ""
    result: _Result | None = None
    parameters: _Parameters = _Parameters()


class TelegramChannel:
    """Text to chats; the receipt is the message's id."""

    capabilities = Capabilities(
        name="telegram",
        title="Telegram",
        address_field="telegram",
        address_hint="-1001234567890",
        idempotent=False,
        confirm_by=ConfirmBy.LINK,
        claim=CONNECTIONS,
        limits=Limits(account="30/s", destination="1/s"),
        threads=True,
    )

    def __init__(
        self,
        settings: TelegramSettings,
        context: ChannelContext,
        *,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._now = context.now
        self._url = httpx.URL(f"{settings.api.rstrip('/')}/bot{settings.token.reveal()}/sendMessage")
        self._poster = Poster(trusting(), connections=CONNECTIONS, timeout=timeout, tls=tls)

    def validate(self, address: str) -> str:
        """Return a chat's number, or a public channel's name in lower case; raises AddressError."""
        if _CHAT.fullmatch(address):
            return address
        if _NAME.fullmatch(address):
            return address.lower()
        raise AddressError("this is neither the number of a chat nor the @name of a public channel")

    def mask(self, address: str) -> str:
        return f"{address[:2]}…{address[-2:]}"

    async def send(self, message: Message) -> Outcome:
        address = message.endpoint.address
        outcome, moved = await self._try(message, address if address.startswith("@") else int(address))
        if moved is not None:  # a group that became a supergroup has another number; nothing was sent to the old one
            outcome, _ = await self._try(message, moved)
        return outcome

    async def close(self) -> None:
        await self._poster.close()

    async def _try(self, message: Message, chat: int | str) -> tuple[Outcome, int | None]:
        """Send once; return how it ended, and which number the chat has now where it said so."""
        answer = await self._poster.post_json(self._url, orjson.dumps(_document(message, chat)))
        if not isinstance(answer, Answer):
            return answer, None
        reply = answer.read(_Reply)
        moved = None if reply is None or reply.ok else reply.parameters.migrate_to_chat_id
        return self._judged(answer, reply), moved

    def _judged(self, answer: Answer, reply: _Reply | None) -> Outcome:
        if reply is None or reply.ok:
            if reply is not None and reply.result is not None and answer.status == 200:
                return Sent(str(reply.result.message_id))
            outcome = classify_http(
                answer.status, now=self._now(), retry_after=answer.retry_after, address=Scope.CHANNEL
            )
            return InDoubt("answered, and not in Telegram's words") if isinstance(outcome, Sent) else outcome
        wait = reply.parameters.retry_after
        if answer.status == 403 or (answer.status == 400 and _NO_SUCH_CHAT.search(reply.description)):
            return Rejected(Scope.RECIPIENT, f"answered {answer.status}: the bot cannot write to this chat")
        return classify_http(
            answer.status,
            now=self._now(),
            retry_after=answer.retry_after if wait is None else f"{wait:f}",
            address=Scope.CHANNEL,
        )


def _document(message: Message, chat: int | str) -> dict[str, Any]:
    parts = parts_of(message)
    if message.notice.kind is not Kind.CONFIRMATION:
        parts = replace(parts, link=f"{parts.link}\nUnsubscribe: {message.unsubscribe_url}")
    document: dict[str, Any] = {
        "chat_id": chat,
        "text": fitted(parts, TEXT_LIMIT, _units),
        "link_preview_options": {"is_disabled": True},
    }
    if message.earlier and message.earlier[0].isdecimal():
        document["reply_parameters"] = {"message_id": int(message.earlier[0]), "allow_sending_without_reply": True}
    return document


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def telegram_channel(settings: TelegramSettings, context: ChannelContext) -> TelegramChannel:
    """Make the channel from its settings."""
    return TelegramChannel(settings, context)

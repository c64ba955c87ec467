"""The Slack channel: blocks to an incoming webhook, or from the operator's bot to a channel, where one incident is one thread.

https://docs.slack.dev/reference/methods/chat.postMessage, .../chat.update. The bot's first message of an incident is changed in place by
later updates; how it ends is a reply in its thread that the whole channel sees. A webhook cannot do either.
"""

import logging
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, TypeAlias
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson
from msgspec.structs import replace

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.channels.slack_history import SlackHistory, metadata_of
from consumers.delivery.classify import classify_hook, classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.hook import Hooks, HookSettings, Vendor
from consumers.delivery.net.post import TIMEOUT, Answer
from consumers.delivery.net.threads import BlockingCalls
from consumers.delivery.net.url import checked_base
from consumers.delivery.outcome import Finding, InDoubt, Outcome, Rejected, Retry, Scope, Sent, Unknown
from consumers.delivery.rates import Limits
from consumers.delivery.render.card import Card, card_of, is_over
from consumers.delivery.render.text import cut_to
from consumers.delivery.settings import Secret, setting

HEADER, SECTION, CELLS, NOTE = 150, 3000, 2000, 3000
"""Characters of the parts; in all they are fewer than the 13,000 from which on Slack was seen to refuse messages."""
THREADS = 8
"""Calls to the API under way at once. Slack takes about one message a second for a channel."""
_ANSWER_LIMIT = 1024 * 1024
"""Bytes of an answer of the API that are read: it repeats the message."""
_VENDOR = Vendor("Slack", ("hooks.slack.com", "hooks.slack-gov.com"), re.compile(r"/services/\w+/\w+/\w+", re.ASCII))
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{8,20}", re.ASCII)
_CODE = re.compile(r"[a-z_]+")

Meaning: TypeAlias = Scope | type[Retry] | type[InDoubt]
ERRORS: Mapping[str, Meaning] = {
    **dict.fromkeys(
        (
            "access_denied", "accesslimited", "account_inactive", "deprecated_endpoint", "ekm_access_denied",
            "enterprise_is_restricted", "invalid_auth", "method_deprecated", "missing_scope", "no_permission",
            "not_allowed_token_type", "not_authed", "org_login_required", "team_access_not_granted", "token_expired",
            "token_revoked", "two_factor_setup_required", "unknown_method",
        ),
        Scope.CHANNEL,
    ),
    **dict.fromkeys(
        (
            "channel_is_archived", "channel_not_found", "is_archived", "is_inactive", "messages_tab_disabled",
            "not_in_channel", "restricted_action", "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
        ),
        Scope.RECIPIENT,
    ),
    **dict.fromkeys(
        (
            "message_limit_exceeded", "rate_limited", "ratelimited", "request_timeout", "rollup_error",
            "service_unavailable", "team_added_to_org",
        ),
        Retry,
    ),
    **dict.fromkeys(("fatal_error", "internal_error"), InDoubt),
}  # fmt: skip
"""The API's errors; any other one refuses this message. Of the last two Slack says that part of it may have been done."""
HOOK_ERRORS: Mapping[str, Meaning] = {
    **dict.fromkeys(
        (
            "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_token", "no_active_hooks", "no_service",
            "no_service_id", "no_team", "posting_to_general_channel_denied", "team_disabled", "user_not_found",
        ),
        Scope.RECIPIENT,
    ),
    **dict.fromkeys(("invalid_payload", "no_text", "too_many_attachments"), Scope.MESSAGE),
    "rollup_error": Retry,
}  # fmt: skip
"""What a webhook answers as plain text (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)."""
_LOSE_THE_ROOT = frozenset(
    {
        "cant_update_message", "edit_window_closed", "message_not_found", "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked", "thread_not_found",
    }
)  # fmt: skip
"""The first message cannot be changed, or not be replied to: what there is to say becomes a message of its own."""
_ROOT_IS_LOST = Rejected(Scope.MESSAGE, "the first message can be neither changed nor replied to")


def _token(text: str) -> None:
    if not re.fullmatch(r"xox[a-z]-[\w-]+", text, re.ASCII):
        raise ValueError("not a token")


class SlackSettings(HookSettings, frozen=True):
    """``channels.slack``."""

    token: Annotated[
        Secret | None,
        setting(
            "a bot token, xoxb-...",
            "Whose bot posts to channels by their ids; it needs the scope chat:write. Webhooks need none.",
            check=_token,
        ),
    ] = None
    api: Annotated[
        str, setting("an http or https URL without query", "Where Slack's Web API is.", check=checked_base)
    ] = "https://slack.com/api"
    ask_after: (
        Annotated[
            int,
            setting(
                "a whole number of seconds from 60 to 86400",
                "How long after an attempt in doubt the channel's history is asked whether it has the message; the bot needs the scopes to read it.",
                ge=60,
                le=86_400,
            ),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ask_after is not None and self.token is None:
            raise ValueError("ask_after: expected only with a token, for a webhook does not tell")


class SlackChannel:
    """Blocks to webhooks and channels; the receipt of the latter is a message's ``ts``."""

    capabilities = Capabilities(
        name="slack",
        title="Slack",
        address_field="slack",
        address_hint="https://hooks.slack.com/services/T00000000/B00000000/abcdef",
        idempotent=False,
        confirm_by=ConfirmBy.LINK,
        claim=4 * THREADS,
        limits=Limits(destination="1/s"),
        threads=True,
    )

    def __init__(
        self,
        settings: SlackSettings,
        context: ChannelContext,
        *,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._now = context.now
        self._hooks = Hooks(_VENDOR, settings, timeout=timeout, tls=tls)
        self._bot = None if settings.token is None else _Bot(settings.token, settings.api, context, timeout)
        if self._bot is not None and settings.ask_after is not None:
            self.capabilities = replace(self.capabilities, asked_after=timedelta(seconds=settings.ask_after))

    def validate(self, address: str) -> str:
        """Return a webhook's URL in its normal form, or a channel's id where there is a bot; raises AddressError."""
        if not _CHANNEL.fullmatch(address):
            return str(self._hooks.url(address))
        if self._bot is None:
            raise AddressError("channels are reached by a bot, and there is none: give the URL of an incoming webhook")
        return address

    def mask(self, address: str) -> str:
        return f"Slack: {address[:3]}…" if _CHANNEL.fullmatch(address) else self._hooks.mask(address)

    async def send(self, message: Message) -> Outcome:
        content = _content(card_of(message))
        if not _CHANNEL.fullmatch(message.endpoint.address):
            answer = await self._hooks.post(message.endpoint.address, orjson.dumps(content))
            return self._judged(answer) if isinstance(answer, Answer) else answer
        if self._bot is None:
            return Rejected(Scope.MESSAGE, "there is no bot any more that could post to channels")
        return await self._bot.tell(message, content)

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Look for each among what its channel shows of the bot (``AskableChannel``); nobody can be asked behind a webhook."""
        return [await self._looked_for(message) for message in messages]

    async def _looked_for(self, message: Message) -> Finding:
        if self._bot is None or not _CHANNEL.fullmatch(message.endpoint.address):
            return Unknown("a webhook does not tell", final=True)
        return await self._bot.find(message)

    async def close(self) -> None:
        await self._hooks.close()
        if self._bot is not None:
            await self._bot.close()

    def _judged(self, answer: Answer) -> Outcome:
        said = answer.body.decode(errors="replace").strip()
        if answer.status == 200:
            return Sent() if said == "ok" else InDoubt("answered, and not in Slack's words")
        known = _outcome_of(HOOK_ERRORS, said, f"answered {answer.status}: {said[:50]}")
        return known or classify_hook(answer.status, now=self._now(), retry_after=answer.retry_after)


class _Bot:
    """Calls the API with Slack's SDK, which blocks."""

    def __init__(self, token: Secret, api: str, context: ChannelContext, timeout: float) -> None:
        self._now = context.now
        self._client = _client(token, f"{api.rstrip('/')}/", timeout)
        self._calls = BlockingCalls("slack", THREADS, 2 * timeout)
        self._questions = BlockingCalls("slack-asked", 1, 6 * timeout)
        self._history = SlackHistory(self._client)

    async def tell(self, message: Message, content: dict[str, Any]) -> Outcome:
        """Post, change the first message of the subject in place, or reply to it."""
        metadata = metadata_of(message)
        here = {"channel": message.endpoint.address, **content, "metadata": metadata}
        root = next(iter(message.earlier), None)
        changed = {
            "channel": message.endpoint.address,
            "ts": root,
            "text": content["text"],
            "blocks": content["blocks"],
            "metadata": metadata,
        }
        if root is None:
            return await self._call("chat.postMessage", here)
        ends = is_over(message) or any(one != root for one in message.earlier)
        if ends:
            outcome = await self._call("chat.postMessage", here | {"thread_ts": root, "reply_broadcast": True})
        else:
            outcome = await self._call("chat.update", changed)
        if outcome == _ROOT_IS_LOST:
            return await self._call("chat.postMessage", here)
        if ends and isinstance(outcome, Sent):
            # The news is told; that the first message shows it too is a courtesy, and whatever ails it changes nothing.
            await self._call("chat.update", changed)
        return outcome

    async def find(self, message: Message) -> Finding:
        """Return what became of a message to a channel."""
        answer = await self._questions.run(lambda: [self._history.find(message)])
        # What was given up, or never begun, is no answer.
        return answer[0] if isinstance(answer, list) else Unknown(answer.reason)

    async def close(self) -> None:
        await self._calls.close()
        await self._questions.close()

    async def _call(self, method: str, arguments: dict[str, Any]) -> Outcome:
        return await self._calls.run(partial(self._called, method, arguments))

    def _called(self, method: str, arguments: dict[str, Any]) -> Outcome:
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415 -- as above

        try:
            response = self._client.api_call(method, json=arguments)
        except SlackApiError as error:
            return self._refused(error.response)
        except URLError:  # raised until the whole request is in the system's hands, and never after that
            return Retry("no connection")
        except Exception as error:  # whatever urllib and the SDK meet while they read the answer
            return InDoubt(f"no answer after the request had left: {type(error).__name__}")
        return Sent(str(response.get("ts", "")))

    def _refused(self, response: Any) -> Outcome:
        code = response.data.get("error") if isinstance(response.data, dict) else None
        after = response.headers.get("Retry-After")
        by_status = classify_http(response.status_code, now=self._now(), retry_after=after, address=Scope.CHANNEL)
        if not isinstance(code, str) or not _CODE.fullmatch(code):  # not Slack spoke but what stands before it
            return InDoubt("answered, and not in Slack's words") if isinstance(by_status, Sent) else by_status
        if code in _LOSE_THE_ROOT:
            return _ROOT_IS_LOST
        if ERRORS.get(code) is Retry and isinstance(by_status, Retry):
            return by_status  # it knows for how long
        reason = f"answered {code[:50]}"
        return _outcome_of(ERRORS, code, reason) or Rejected(Scope.MESSAGE, reason)


class _NoRedirect(HTTPRedirectHandler):
    """Makes an answer of each redirect: urllib would follow with the token, to whatever host it names."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _client(token: Secret, api: str, timeout: float) -> Any:
    """Return the SDK's client; ``timeout`` (seconds) is for each wait for bytes."""
    from slack_sdk import WebClient  # noqa: PLC0415 -- only those who have a bot pay for the SDK

    opener = build_opener(_NoRedirect)

    class Client(WebClient):
        """Sends once: the SDK offers no other way to leave redirects alone."""

        def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
            with opener.open(req, timeout=timeout) as response:
                body = response.read(_ANSWER_LIMIT).decode(errors="replace")
                return {"status": response.status, "headers": response.headers, "body": body}

    quiet = logging.getLogger(f"{__name__}.sdk")
    quiet.setLevel(logging.CRITICAL)  # how an attempt ended is told by its outcome
    # Its own handlers would send what met a broken connection a second time.
    return Client(token.reveal(), api, logger=quiet, retry_handlers=[])


def _outcome_of(table: Mapping[str, Meaning], code: str, reason: str) -> Outcome | None:
    match table.get(code):
        case Scope() as scope:
            return Rejected(scope, reason)
        case None:
            return None
        case kind:
            return kind(reason)


def _content(card: Card) -> dict[str, Any]:
    """Return the blocks, and the text that stands for them in notifications."""
    links = " · ".join(
        f"<{_escaped(url).replace('|', '%7C')}|{label}>"
        for label, url in ((card.label, card.link), ("Unsubscribe", card.leave))
        if url
    )
    sections = [_fitted(card.body, SECTION), _fitted("\n".join(card.cells), CELLS)]
    note = "\n".join(filter(None, (_escaped(card.promise), links)))
    header = {"type": "header", "text": {"type": "plain_text", "text": cut_to(card.headline, HEADER), "emoji": False}}
    blocks = [
        header,
        *({"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in sections if text),
        *([{"type": "context", "elements": [{"type": "mrkdwn", "text": note}]}] if note and len(note) <= NOTE else []),
    ]
    return {"text": _fitted(card.headline, HEADER), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _fitted(text: str, limit: int) -> str:
    return _escaped(cut_to(text, limit, lambda cut: len(_escaped(cut))))


def _escaped(text: str) -> str:
    """Take the meaning out of Slack's three control characters: without them nobody is mentioned."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_channel(settings: SlackSettings, context: ChannelContext) -> SlackChannel:
    """Make the channel from its settings."""
    return SlackChannel(settings, context)

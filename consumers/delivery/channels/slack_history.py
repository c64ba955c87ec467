"""What Slack has of messages in doubt, by what a channel's history shows of the bot. It posts nothing.

https://docs.slack.dev/reference/methods/conversations.history: each message that the bot posts or changes carries, as metadata, which
notification it was last about. That none carries ours proves something only where all of the bot's messages show theirs.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from consumers.delivery.channel import Message
from consumers.delivery.outcome import Finding, Retry, Sent, Unknown
from schemas.events import Micros

EVENT = "tocsin_notification"
MOST = 200
SLACK: Micros = 120_000_000
"""By how much Slack's clock may be behind ours, in microseconds."""
_ABSENT = Retry("Slack does not have it")
_FINAL = frozenset({"channel_not_found", "is_archived", "missing_scope", "not_in_channel", "team_access_not_granted"})
_LOST = frozenset({"message_not_found", "thread_not_found"})
_LONGEST = timedelta(hours=1)

Shown: TypeAlias = Mapping[str, Any]


def metadata_of(message: Message) -> dict[str, Any]:
    """Return what a message carries, which nobody sees: ids and times, no text and no address."""
    payload = {"notification": message.notification, "published_at": message.notice.published_at}
    return {"event_type": EVENT, "event_payload": payload}


class SlackHistory:
    """Reads what the bot of ``client`` may read. Blocks; never raises for what Slack or the network does."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._bot = ""

    def find(self, message: Message) -> Finding:
        """Return what became of one message to a channel."""
        self._bot = self._bot or self._asked("auth.test", {}, "bot_id", str)
        if isinstance(self._bot, Unknown):
            found, self._bot = self._bot, ""
            return found
        since = max(0, message.notice.published_at - SLACK)
        window = {"oldest": f"{since / 1_000_000:.6f}", "limit": MOST, "include_all_metadata": True}
        here = {"channel": message.endpoint.address, **window}
        posted = self._asked("conversations.history", here, "messages", list)
        if isinstance(posted, Unknown):
            return posted
        thread: Sequence[Shown] | Unknown = ()
        if message.earlier:
            thread = self._asked("conversations.replies", here | {"ts": message.earlier[0]}, "messages", list)
        if isinstance(thread, Unknown):
            return thread
        return finding(message, posted, thread, self._bot)

    def _asked(self, method: str, arguments: dict[str, Any], member: str, kind: type) -> Any:
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415 -- as in the channel

        try:
            answer = self._client.api_call(method, data=arguments)
        except SlackApiError as error:
            return self._refused(error.response)
        except Exception as error:  # whatever urllib and the SDK meet: nothing is known, and nothing was changed
            return Unknown(f"Slack cannot be asked now: {type(error).__name__}")
        found = answer.get(member)
        if not isinstance(found, kind) or (not found and kind is str):
            return Unknown("answered, and not in Slack's words")
        if answer.get("has_more"):
            return Unknown("Slack has too many messages of that time to look through", final=True)
        return found

    def _refused(self, response: Any) -> Any:
        code = response.data.get("error") if isinstance(response.data, dict) else None
        if code in _LOST:
            return []
        if code in _FINAL:
            return Unknown(f"Slack does not tell the bot: {code}", final=True)
        return Unknown(f"Slack cannot be asked now: answered {response.status_code}", _after(response.headers))


def finding(message: Message, posted: Sequence[Shown], thread: Sequence[Shown], bot: str) -> Finding:
    """Return what the messages of a channel since a notice was published, and those of its thread, say of it."""
    own = [one for one in (*thread, *posted) if one.get("bot_id") == bot]
    about = [(one, _about(one)) for one in own]
    ours = [str(one.get("ts", "")) for one, of in about if of and of.get("notification") == message.notification]
    if ours:
        # Where it is a reply the first message, which shows the end too, is not what was sent.
        return Sent(next((ts for ts in ours if ts not in message.earlier), ours[0]))
    if any(payload is None for one, payload in about if not _is_older(one, message)):
        return Unknown("Slack has a message of the bot that does not say what it is about", final=True)
    root = next((payload for one, payload in about if [one.get("ts")] == list(message.earlier[:1])), None)
    if root is not None and _published(root) > message.notice.published_at:
        return Unknown("a later update has taken its place in the message", final=True)
    return _ABSENT


def _about(shown: Shown) -> Mapping[str, Any] | None:
    metadata = shown.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT:
        return None
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) and payload.get("notification") else None


def _is_older(shown: Shown, message: Message) -> bool:
    """Whether a message was posted before the notice was published; it is shown because a thread begins with it."""
    try:
        return float(shown.get("ts", "")) * 1_000_000 < message.notice.published_at - SLACK
    except (TypeError, ValueError):
        return False


def _published(payload: Mapping[str, Any]) -> Micros:
    at = payload.get("published_at")
    return at if isinstance(at, int) else 0


def _after(headers: Mapping[str, str]) -> timedelta | None:
    text = str(headers.get("Retry-After", ""))
    return min(timedelta(seconds=int(text)), _LONGEST) if text.isdecimal() and len(text) < len("1000000") else None

"""The Discord channel: one embed for each message, posted to an incoming webhook. Nobody is ever mentioned.

https://docs.discord.com/developers/resources/webhook#execute-webhook. Discord bans an address that is refused too often (10,000
times in ten minutes), so a webhook that is gone is given up at once.
"""

import re

import msgspec
import orjson

from consumers.delivery.channel import Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_hook
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.hook import CONNECTIONS, HookChannel, HookSettings, Vendor
from consumers.delivery.net.post import Answer
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Scope, Sent
from consumers.delivery.rates import Limits
from consumers.delivery.render.card import Card, card_of
from consumers.delivery.render.text import cut_to
from consumers.delivery.render.words import moment

TITLE, DESCRIPTION, FIELD, FOOTER = 256, 4096, 1024, 200
"""Characters of an embed's parts; 6,000 in all are allowed, and these are fewer."""
_URL = 2048
_VENDOR = Vendor(
    "Discord",
    ("discord.com", "discordapp.com", "canary.discord.com", "ptb.discord.com"),
    re.compile(r"/api(/v\d+)?/webhooks/\d+/[\w-]+", re.ASCII),
)
_MARKUP = re.compile(r"(https?://\S+)|([\\*_~`|<>#\[\]])")


class DiscordSettings(HookSettings, frozen=True):
    """``channels.discord``."""


class _Posted(msgspec.Struct):
    id: str


class _Limited(msgspec.Struct):
    retry_after: float


class DiscordChannel(HookChannel):
    """Embeds through webhooks; the receipt is the message's id."""

    vendor = _VENDOR
    capabilities = Capabilities(
        name="discord",
        title="Discord",
        address_field="discord",
        address_hint="https://discord.com/api/webhooks/1234567890/abcdef",
        idempotent=False,
        confirm_by=ConfirmBy.LINK,
        claim=CONNECTIONS,
        combines=True,
        limits=Limits(account="50/s", destination="5/2s, 30/m"),
    )

    async def send(self, message: Message) -> Outcome:
        answer = await self._hooks.post(message.endpoint.address, _document(message), wait="true")
        return self._judged(answer) if isinstance(answer, Answer) else answer

    def _judged(self, answer: Answer) -> Outcome:
        if answer.status in (401, 403, 404) and answer.body and answer.read(dict) is None:
            # What stands before Discord refuses us all: the webhook may be as good as ever.
            return Rejected(Scope.CHANNEL, f"answered {answer.status}, and not in Discord's words")
        wait = answer.retry_after
        if answer.status == 429 and (limited := answer.read(_Limited)) is not None:
            wait = f"{limited.retry_after:f}"  # the header has whole seconds only
        outcome = classify_hook(answer.status, now=self._now(), retry_after=wait)
        if not isinstance(outcome, Sent):
            return outcome
        posted = answer.read(_Posted)
        return InDoubt("answered, and not in Discord's words") if posted is None else Sent(posted.id)


def _document(message: Message) -> bytes:
    card = card_of(message)
    embed = {
        "title": _escaped(cut_to(card.headline, TITLE, _escaped_units)),
        "description": _description(card),
        "color": int(card.colour.removeprefix("#"), 16),
        "timestamp": moment(message.notice.published_at).isoformat(timespec="milliseconds"),
        "footer": {"text": cut_to(card.page, FOOTER, _units)},
    }
    if card.link and len(card.link) <= _URL:
        embed["url"] = card.link
    if card.cells:
        cells = cut_to("\n".join(card.cells), FIELD, _escaped_units)
        embed["fields"] = [{"name": "Affected", "value": _escaped(cells)}]
    return orjson.dumps({"embeds": [embed], "allowed_mentions": {"parse": []}})


def _description(card: Card) -> str:
    """Return the body, cut so that the promise and the links behind it always fit."""
    links = [(card.label, card.link), ("Unsubscribe", card.leave)]
    line = " · ".join(f"[{label}](<{url}>)" for label, url in links if url)
    end = "\n\n".join(filter(None, (_escaped(card.promise), line)))
    body = cut_to(card.body, DESCRIPTION - _units(end) - 2, _escaped_units)
    return "\n\n".join(filter(None, (_escaped(body), end)))


def _units(text: str) -> int:
    """Return the length as Discord's own client counts it: in UTF-16, which is never less than in characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escaped_units(text: str) -> int:
    return _units(_escaped(text))


def _escaped(text: str) -> str:
    """Take the meaning out of Discord's markup, but leave links whole."""
    return _MARKUP.sub(lambda found: found[1] or f"\\{found[2]}", text)


def discord_channel(settings: DiscordSettings, context: ChannelContext) -> DiscordChannel:
    """Make the channel from its settings."""
    return DiscordChannel(settings, context)

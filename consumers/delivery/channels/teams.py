"""The Microsoft Teams channel: one Adaptive Card for each message, posted to a webhook of the Workflows app.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using. Workflows takes a request before
it does anything with it: sent means accepted, and whether the card was posted stands in the flow's own history.
"""

import re
from typing import Any

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

SIZE_LIMIT = 20_000
"""Bytes of a request. Microsoft says 28 KB; refusals were met from 21 KB on."""
TITLE, CELLS = 300, 3000
_VENDOR = Vendor(
    "Microsoft Teams",
    (".logic.azure.com", ".powerplatform.com", ".powerautomate.com"),
    re.compile(r"/.+"),
)
_COLOURS = {"#1a7f37": "good", "#0969da": "accent", "#57606a": "default"}
_MARKUP = re.compile(r"([\\*_\[\]`#<>])")
_GONE = frozenset({"WorkflowNotFound", "WorkflowTriggerIsNotEnabled", "WorkflowTriggerNotFound"})
"""The flow was deleted or switched off, whatever the status."""


class TeamsSettings(HookSettings, frozen=True):
    """``channels.teams``."""


class _Error(msgspec.Struct):
    code: str = ""


class _Refusal(msgspec.Struct):
    error: _Error


class TeamsChannel(HookChannel):
    """Adaptive Cards through Workflows. There are no receipts."""

    vendor = _VENDOR
    capabilities = Capabilities(
        name="teams",
        title="Microsoft Teams",
        address_field="teams",
        address_hint="https://prod-00.westeurope.logic.azure.com/workflows/0a1b2c/triggers/manual/paths/invoke?sig=abc",
        idempotent=False,
        confirm_by=ConfirmBy.LINK,
        claim=CONNECTIONS,
        combines=True,
        limits=Limits(destination="4/s"),
    )

    async def send(self, message: Message) -> Outcome:
        answer = await self._hooks.post(message.endpoint.address, _document(message))
        return self._judged(answer) if isinstance(answer, Answer) else answer

    def _judged(self, answer: Answer) -> Outcome:
        refusal = answer.read(_Refusal)
        if refusal is not None and refusal.error.code in _GONE:
            return Rejected(Scope.RECIPIENT, f"answered {answer.status}: the flow was deleted or switched off")
        outcome = classify_hook(answer.status, now=self._now(), retry_after=answer.retry_after)
        # A flow may answer in words of its own; a web page is nobody's flow.
        if isinstance(outcome, Sent) and "html" in answer.headers.get("content-type", ""):
            return InDoubt("answered with a web page")
        return outcome


def _document(message: Message) -> bytes:
    """Return the request; the body's text is cut so that all of it is at most ``SIZE_LIMIT``."""
    card = card_of(message)
    return _encoded(card, cut_to(card.body, SIZE_LIMIT, lambda text: len(_encoded(card, text)) if text else 0))


def _encoded(card: Card, text: str) -> bytes:
    blocks = [
        _block(
            cut_to(card.headline, TITLE),
            size="Large",
            weight="Bolder",
            color=_COLOURS.get(card.colour, "attention"),
            style="heading",
        ),
        _block(text),
        _block(cut_to("\n".join(card.cells), CELLS), weight="Bolder"),
        _block(card.promise, isSubtle=True),
        _block(card.page, isSubtle=True, size="Small"),
    ]
    links = [(card.label, card.link), ("Unsubscribe", card.leave)]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [block for block in blocks if block["text"]],
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in links if url],
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return orjson.dumps({"type": "message", "attachments": [attachment]})


def _block(text: str, **style: Any) -> dict[str, Any]:
    """Return a text block. Its markup is taken out of the text, and each line is a paragraph: Teams joins single lines."""
    lines = re.sub(r"\n+", "\n\n", _MARKUP.sub(r"\\\1", text))
    return {"type": "TextBlock", "text": lines, "wrap": True, **style}


def teams_channel(settings: TeamsSettings, context: ChannelContext) -> TeamsChannel:
    """Make the channel from its settings."""
    return TeamsChannel(settings, context)

"""Plain text of a message for chats and short channels, cut well to whatever a provider counts. Pure; no markup of any provider.

A channel says how long a text may be and how that is measured: in characters (``len``), ``utf8_bytes``, ``graphemes.clusters``, or by a
function of its own, which may also count what escaping will add.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from markdown_it.token import Token

from consumers.delivery.channel import Message
from consumers.delivery.render.graphemes import boundaries
from consumers.delivery.render.markdown import tokens_of
from consumers.delivery.render.words import words_of
from schemas.vocabulary import Kind

Measure: TypeAlias = Callable[[str], int]
"""The length of a text as a provider counts it. A longer text is not shorter; the empty one is 0."""

ELLIPSIS = "…"
_LINK = re.compile(r"(?:https?://|mailto:)[^\s<>]+", re.IGNORECASE)
_WORTH_A_PROMISE, _WORTH_READING = 40, 10
"""Characters of a body: with fewer beside it the promise is left out, with fewer still the body itself."""
_LONG_WORD = 50
"""Characters that are given up to end at a word; beyond that it is no word but a text without spaces."""


def utf8_bytes(text: str) -> int:
    """Return the length in UTF-8."""
    return len(text.encode(errors="surrogatepass"))


@dataclass(frozen=True)
class Parts:
    """What a message says, in plain text; any but ``headline`` may be empty.

    ``headline`` is one line and begins with the ``status`` word where there is one. ``promise`` says when the next update is
    due, or a maintenance's time. ``link`` leads to the page, or confirms a sign-up.
    """

    headline: str
    body: str
    promise: str
    link: str


def parts_of(message: Message, *, link: bool = True) -> Parts:
    """Return the parts of a message. A ``link`` that confirms stays in any case: without it there is no message."""
    words = words_of(message)
    drill = "[DRILL] " if message.drill else ""
    if message.notice.kind is Kind.CONFIRMATION:
        asked = f"{drill}Please confirm your subscription to {words.page}"
        return Parts(
            asked if message.confirm_url else f"{drill}You are subscribed to {words.page}", "", "", message.confirm_url
        )
    if message.notice.kind is Kind.REMINDER:
        return Parts(words.headline, "", "", words.url if link else "")
    promise = f"Next update by {words.promise}." if words.promise else ""
    if words.window:
        promise = f"Planned from {words.window}."
    return Parts(
        headline=f"{drill}{words.status}: {words.title}",
        body=plain_of(message.notice.body),
        promise=promise,
        link=words.url if link else "",
    )


def text_of(message: Message, limit: int, measure: Measure = len, *, link: bool = True) -> str:
    """Return a message as text of at most ``limit``; see ``fitted``."""
    return fitted(parts_of(message, link=link), limit, measure)


def fitted(parts: Parts, limit: int, measure: Measure = len) -> str:
    """Return the parts as one text of at most ``limit``, each part in a paragraph of its own.

    What does not fit is given up in this order: the end of the body, the promise, what little is left of the body, the end of
    the headline, the link.
    """
    without = replace(parts, promise="")
    for kept, least in ((parts, _WORTH_A_PROMISE), (without, _WORTH_READING)):
        body = _cut_part(kept, "body", limit, measure)
        if measure(_joined(body)) <= limit and len(body.body) >= min(least, len(parts.body)):
            return _joined(body)
    for kept in (replace(parts, body=""), replace(without, body="")):
        if measure(_joined(kept)) <= limit:
            return _joined(kept)
    headline = _cut_part(replace(without, body=""), "headline", limit, measure)
    return _joined(headline) if headline.headline else cut_to(parts.headline, limit, measure)


def _cut_part(parts: Parts, name: str, limit: int, measure: Measure) -> Parts:
    """Return the parts with one of them cut, or empty where nothing of it fits."""
    text: str = getattr(parts, name)
    return replace(parts, **{name: cut_to(text, limit, lambda cut: measure(_joined(replace(parts, **{name: cut}))))})


def _joined(parts: Parts) -> str:
    return "\n\n".join(filter(None, (parts.headline, parts.body, parts.promise, parts.link)))


def cut_to(text: str, limit: int, measure: Measure = len) -> str:
    """Return ``text``, or its beginning with an ellipsis, so that it measures at most ``limit``.

    It ends with a whole word, unless that would cost a lot, and never within a cluster or a link. Where not even the
    ellipsis fits it is empty.
    """
    if measure(text) <= limit:
        return text
    places = _places(text)
    index = bisect_right(places, limit, key=lambda place: measure(_ended(text, place))) - 1
    while index >= 0 and measure(_ended(text, places[index])) > limit:
        index -= 1  # a measure that knows words and links may jump where one becomes whole
    if index < 0:
        return ""
    return _ended(text, _at_a_word(text, places[: index + 1]))


def _places(text: str) -> list[int]:
    """Return where a text may be cut."""
    within = {place for found in _LINK.finditer(text) for place in range(found.start() + 1, found.end())}
    return [place for place in boundaries(text)[:-1] if place not in within]


def _at_a_word(text: str, places: list[int]) -> int:
    """Return the last of ``places`` at which a word ends, or the last one where there is none near."""
    last = places[-1]
    for place in reversed(places):
        if last - place > _LONG_WORD:
            break
        if text[place].isspace() or (place and text[place - 1].isspace()):
            return place
    return last


def _ended(text: str, place: int) -> str:
    """Return the beginning of a text with an ellipsis, which must not become part of a link."""
    kept = text[:place].rstrip()
    links = list(_LINK.finditer(kept))
    return f"{kept} {ELLIPSIS}" if links and links[-1].end() == len(kept) else kept + ELLIPSIS


@lru_cache(maxsize=64)
def plain_of(body: str) -> str:
    """Return what a body in Markdown says without its markup: lists keep their marks, links their addresses.

    Those of the updates that go out at the same time are remembered.
    """
    lines = _Plain()
    for token in tokens_of(body):
        lines.take(token)
    return lines.text()


class _Plain:
    """Gathers paragraphs from Markdown's tokens."""

    def __init__(self) -> None:
        self._paragraphs: list[str] = []
        self._lists: list[int | None] = []
        self._mark = ""
        self._together = False

    def text(self) -> str:
        return "".join(self._paragraphs).strip()

    def take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                self._together = False
            case "list_item_open":
                self._mark = self._next_mark()
            case "inline":
                self._add(_inline(token.children or []))
            case "fence" | "code_block":
                self._add(token.content.rstrip("\n"))
            case _:
                pass

    def _next_mark(self) -> str:
        number = self._lists[-1]
        indent = "  " * (len(self._lists) - 1)
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _add(self, text: str) -> None:
        self._paragraphs.append(("\n" if self._together and self._mark else "\n\n") + self._mark + text)
        self._together = bool(self._lists)
        self._mark = ""


def _inline(tokens: list[Token]) -> str:
    said, links = "", []
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "html_inline":
                said += token.content
            case "softbreak" | "hardbreak":
                said += "\n"
            case "image":
                said += token.content
            case "link_open":
                links.append((len(said), str(token.attrs.get("href", ""))))
            case "link_close":
                start, href = links.pop()
                if _LINK.match(href) and said[start:] not in (href, href.removeprefix("mailto:")):
                    said += f" ({href})"
            case _:
                pass
    return said

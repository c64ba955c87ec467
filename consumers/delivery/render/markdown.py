"""Turns the body of an update, which is Markdown from a person or a template, into safe HTML and plain text."""

import re

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

BODY_LIMIT = 20_000
"""Characters of a body that go into a message; the rest is read on the page."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but for tab and line feed, and halves of characters (Unicode's categories Cc and Cs)."""
_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong", "ul",
}  # fmt: skip
_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True})
_CLEANER = nh3.Cleaner(tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"})


def html_of(body: str) -> str:
    """Return the body as HTML without scripts, images, styles or links to anything but the web and mail."""
    return _CLEANER.clean(_PARSER.render(cut(body)))


def tokens_of(body: str) -> list[Token]:
    """Return the body as Markdown's tokens, for those who write it in a form of their own."""
    return _PARSER.parse(cut(body))


def text_of(body: str) -> str:
    """Return the body as it was written: Markdown is made to be read."""
    return cut(body)


def cut(body: str, limit: int = BODY_LIMIT) -> str:
    """Return at most ``limit`` characters without control characters, cut between words and with an ellipsis."""
    text = _CONTROL.sub("", body).strip()
    if len(text) <= limit:
        return text
    kept = text[: max(limit - 1, 0)]
    head, _, tail = kept.rpartition(" ")
    return (head if head and len(tail) < 50 else kept).rstrip() + "…"

"""Operators' Markdown as harmless HTML: no raw HTML, no pictures, no scripts, headings below those of the page."""

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markupsafe import Markup

TAGS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}


def _lower_headings(state: StateCore) -> None:
    """Move headings so that the highest one stands at the level that the page has for it."""
    headings = [token for token in state.tokens if token.type.startswith("heading_")]
    highest = min((int(token.tag[1:]) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{min(6, int(token.tag[1:]) - highest + state.env['level'])}"


_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_markdown.core.ruler.push("lower_headings", _lower_headings)


def to_html(text: str, level: int = 3) -> Markup:
    """Return the text as HTML that needs no trust; a link tells its target nothing and lends it no weight.

    ``level`` (3 to 6) is that of the text's highest heading, so that the outline of the page skips none.
    """
    return Markup(  # noqa: S704 - what nh3 lets through is the point
        nh3.clean(
            _markdown.render(text, {"level": level}),
            tags=TAGS,
            attributes=ATTRIBUTES,
            url_schemes=SCHEMES,
            url_relative="deny",
            link_rel="nofollow noopener noreferrer",
        )
    )

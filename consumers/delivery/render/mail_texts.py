"""What a mail says and the headers it has, whoever carries it: texts with marks where each recipient's own links go. No I/O.

A notice costs about two milliseconds to render, a recipient next to nothing: everything but links and ids is shared.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from consumers.delivery.channel import Message
from consumers.delivery.render.markdown import html_of, text_of
from consumers.delivery.render.words import words_of
from schemas.vocabulary import Kind

T = TypeVar("T")
_TEMPLATES = Path(__file__).parents[1] / "channels" / "templates" / "email"
_TEMPLATE_OF_KIND = {
    Kind.INCIDENT: "notice",
    Kind.MAINTENANCE: "notice",
    Kind.SUMMARY: "notice",
    Kind.REMINDER: "reminder",
    Kind.CONFIRMATION: "confirmation",
}
_KEPT = 64
"""Prepared notices that are kept: those of the updates that go out at the same time."""
_LONGEST_VALUE = 900
"""Characters of a header's value; a line has 998 at the most (RFC 5322 2.1.1)."""
_HOST_NAME = re.compile(r"[a-z0-9.-]+\.[a-z][a-z0-9-]*", re.ASCII)
_LIST_ID_LIMIT = 250


@dataclass(frozen=True)
class _Marks:
    """What stands for a recipient's links; random for each process, so that no text can hold one."""

    unsubscribe_html: str
    unsubscribe_text: str
    confirm_html: str
    confirm_text: str
    manage_html: str
    manage_text: str


class MailTexts:
    """Renders notices; what it returns holds marks that ``links`` names."""

    def __init__(self) -> None:
        self._marks = _Marks(*(f"tocsin{secrets.token_hex(6)}" for _ in range(6)))
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=select_autoescape(("html.j2",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)

    def render(self, message: Message) -> tuple[str, str]:
        """Return the plain text and the HTML that everybody shares who is told this notice."""
        name = _TEMPLATE_OF_KIND[message.notice.kind]
        marks, body = self._marks, message.notice.body
        shared = {"w": words_of(message), "over": message.over, "drill": message.drill}
        plain = self._environment.get_template(f"{name}.txt.j2").render(
            shared,
            body=text_of(body),
            unsubscribe=marks.unsubscribe_text if message.unsubscribe_url else "",
            confirm=marks.confirm_text if message.confirm_url else "",
            manage=marks.manage_text if message.manage_url else "",
        )
        rich = self._environment.get_template(f"{name}.html.j2").render(
            shared,
            body_html=Markup(html_of(body)),  # noqa: S704 - sanitised by nh3
            unsubscribe=marks.unsubscribe_html if message.unsubscribe_url else "",
            confirm=marks.confirm_html if message.confirm_url else "",
            manage=marks.manage_html if message.manage_url else "",
        )
        return plain, self._inliner.inline(rich)

    def links(self, message: Message) -> dict[str, str]:
        """Return what stands in place of each mark for this recipient."""
        marks = self._marks
        found = (
            (marks.unsubscribe_html, marks.unsubscribe_text, message.unsubscribe_url),
            (marks.confirm_html, marks.confirm_text, message.confirm_url),
            (marks.manage_html, marks.manage_text, message.manage_url),
        )
        links: dict[str, str] = {}
        for in_html, in_text, link in found:
            if link:
                links[in_html], links[in_text] = escape(link), link
        return links


class Prepared(Generic[T]):
    """Keeps what was made of the newest notices, for all who are told the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Message, T]] = {}

    def get(self, message: Message, make: Callable[[], T]) -> T:
        """Return what was made of a message that renders alike, or make it."""
        key = (message.notice.kind, message.notice.update)
        found = self._kept.pop(key, None)
        if found is None or not renders_alike(found[0], message):
            found = message, make()
        self._kept[key] = found  # popped and put back: the newest stands last
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return found[1]


def renders_alike(one: Message, other: Message) -> bool:
    """Whether two messages differ in nothing but what is filled in for each recipient."""
    return (
        (one.notice is other.notice or one.notice == other.notice)
        and (one.over, one.drill) == (other.over, other.drill)
        and bool(one.unsubscribe_url) == bool(other.unsubscribe_url)
        and bool(one.confirm_url) == bool(other.confirm_url)
        and bool(one.manage_url) == bool(other.manage_url)
    )


def shared_headers(message: Message, domain: str) -> dict[str, str]:
    """Return the headers beside sender and subject that all mails of a notice have; ``domain`` is the sender's."""
    headers = {"List-Id": f"<{list_id(message.notice.page_url, domain)}>"}
    if message.notice.kind is not Kind.CONFIRMATION:
        thread = f"<{_token(message.notice.subject_id)}@{domain}>"
        headers |= {"References": thread, "In-Reply-To": thread, "Precedence": "bulk"}
    return headers


def own_headers(message: Message, domain: str) -> dict[str, str]:
    """Return the headers that one recipient's mail has for itself; raises ValueError for a link or id that fits into none."""
    headers = {"Message-ID": f"<{message.notification}@{domain}>", "X-Tocsin-Notification": message.notification}
    if message.unsubscribe_url:
        headers |= {
            "List-Unsubscribe": f"<{message.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    require_own_fitting(message, domain)
    return headers


def require_own_fitting(message: Message, domain: str) -> None:
    """Raise ValueError where what ``own_headers`` would return fits into no header; it is made of no more than these two."""
    both = f"<{message.notification}@{domain}><{message.unsubscribe_url}>"
    if len(both) <= _LONGEST_VALUE and both.isascii() and both.isprintable():
        return
    require_fitting("Message-ID", f"<{message.notification}@{domain}>")
    if message.unsubscribe_url:
        require_fitting("List-Unsubscribe", f"<{message.unsubscribe_url}>")


def require_fitting(name: str, value: str) -> None:
    """Raise ValueError for what is not printable ASCII, or would have to be folded: a folded URL is none."""
    if not (0 < len(value) <= _LONGEST_VALUE and value.isascii() and value.isprintable()):
        raise ValueError(f"the value for {name} does not fit into a header")


def list_id(page_url: str, fallback: str) -> str:
    """Return the List-Id (RFC 2919) of a page: its host, with its path's parts before it as labels."""
    parts = urlsplit(page_url)
    host = parts.hostname or ""
    labels = [_token(label) for label in reversed(parts.path.split("/")) if _token(label)]
    return ".".join((*labels, host if _HOST_NAME.fullmatch(host) else fallback))[-_LIST_ID_LIMIT:].lstrip(".")


def _token(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", text)

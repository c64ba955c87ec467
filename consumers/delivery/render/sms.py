"""Text of an SMS: how many segments it takes, and letters that keep it in the cheap alphabet. Pure.

GSM-7 (3GPP TS 23.038, 6.2.1) takes 160 characters in one segment and 153 in each of several; one character beyond it makes
the whole message UCS-2, which takes 70 and 67. So what only looks like a letter of GSM-7 is written as one, and what is
mere decoration is left out.
"""

import re
import unicodedata
from dataclasses import replace

from consumers.delivery.channel import Message
from consumers.delivery.render.text import Parts, cut_to, fitted, parts_of
from consumers.delivery.render.words import words_of
from schemas.vocabulary import Kind

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The basic table, without the escape."""
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Characters that take two places: the escape and another."""
_GSM_ONE, _GSM_PART = 160, 153
_UCS_ONE, _UCS_PART = 70, 67
STOP_HINT = "Reply STOP to unsubscribe"
_PAGE_IN_CODE = 40
_SPACES = re.compile(" +")
_KINDS_FOR_PEOPLE = {Kind.INCIDENT, Kind.MAINTENANCE, Kind.SUMMARY}

_LOOKALIKES = {
    # ruff: noqa: RUF001 -- confusables are what this table is about
    **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("•‣▪◦·●○", "-"),
    "…": "...", "‹": "<", "›": ">", "→": "->", "⇒": "=>", "←": "<-", "×": "x", "÷": "/", "⁄": "/", "≤": "<=",
    "≥": ">=", "≠": "!=", "≈": "~", "©": "(c)", "®": "(R)", "°": " deg", "\t": " ", "œ": "oe", "Œ": "OE", "ł": "l",
    "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "Þ": "Th", "ı": "i", "ẞ": "SS",
}  # fmt: skip
_DECORATION = {"So", "Sk", "Cf", "Cc", "Cs", "Co", "Cn", "Mn", "Me"}
"""Unicode categories of what says nothing that the words around it do not say: pictures, marks, invisible characters."""


def segments(text: str) -> int:
    """Return how many segments a text takes as it stands; none for the empty one."""
    if all(c in GSM or c in GSM_EXTENDED for c in text):
        return _filled([1 + (c in GSM_EXTENDED) for c in text], _GSM_ONE, _GSM_PART)
    return _filled([1 + (ord(c) > 0xFFFF) for c in text], _UCS_ONE, _UCS_PART)


def _filled(widths: list[int], one: int, part: int) -> int:
    """Return how many segments characters of these widths fill; none is torn in two."""
    if sum(widths) <= one:
        return min(len(widths), 1)
    count, free = 1, part
    for width in widths:
        if width > free:
            count, free = count + 1, part
        free -= width
    return count


def gsm_of(text: str) -> str | None:
    """Return a text in the letters of GSM-7; None where that would lose what it says, as of another script."""
    written = []
    for character in unicodedata.normalize("NFC", text):
        letters = _letters(character)
        if letters is None:
            return None
        written.append(letters)
    return "".join(written)


def _letters(character: str) -> str | None:
    if character in GSM or character in GSM_EXTENDED:
        return character
    if character in _LOOKALIKES:
        return _LOOKALIKES[character]
    if unicodedata.category(character) == "Zs":
        return " "
    plain = unicodedata.normalize("NFKD", character)
    bare = "".join(_LOOKALIKES.get(c, c) for c in plain if not unicodedata.combining(c))
    if bare and all(c in GSM or c in GSM_EXTENDED for c in bare):
        return bare
    return "" if unicodedata.category(character) in _DECORATION else None


def sms_text(message: Message, limit: int, *, link: bool = True, stop_hint: bool = True) -> str:
    """Return a message as the text of an SMS of at most ``limit`` segments, cut as ``fitted`` does.

    Its headline names the page, since the number that it comes from says nothing. The hint, which stands on updates only,
    is never cut.
    """
    if message.code:
        return _code_text(message)
    parts = _parts(message, link=link)
    ending = f"\n{STOP_HINT}" if stop_hint and message.notice.kind in _KINDS_FOR_PEOPLE else ""
    in_gsm = _all_in_gsm(parts)

    def finished(text: str) -> str:
        lines = text.replace("\n\n", "\n") + ending
        return lines.replace("…", "...") if in_gsm else lines

    cut = fitted(in_gsm or parts, limit, lambda text: segments(finished(text)) if text else 0)
    return finished(cut)


def _code_text(message: Message) -> str:
    """Return the text that brings a code: one segment, whatever the page is called."""
    name = gsm_of(words_of(message).page) or "status page"
    page = cut_to(name, _PAGE_IN_CODE).replace("…", "...")
    return f"{message.code} is your code to subscribe to {page}, good for 10 minutes. Not asked for it? Ignore this."


def _parts(message: Message, *, link: bool) -> Parts:
    parts = parts_of(message, link=link)
    if message.notice.kind not in _KINDS_FOR_PEOPLE:
        return parts
    return replace(parts, headline=f"{words_of(message).page}: {parts.headline}")


def _all_in_gsm(parts: Parts) -> Parts | None:
    """Return the parts in GSM-7, None where one of them cannot be: one is enough to make all of it UCS-2."""
    written = {name: gsm_of(getattr(parts, name)) for name in ("headline", "body", "promise", "link")}
    if any(text is None for text in written.values()):
        return None
    return Parts(**{name: _SPACES.sub(" ", text).strip() for name, text in written.items() if text is not None})

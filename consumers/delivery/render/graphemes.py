"""Splits text into what people see as one character: extended grapheme clusters (Unicode UAX #29, without rule GB9c). Pure.

Where it differs from a newer Unicode it finds more clusters, not fewer, so that what is measured by it fits. The standard
library knows no clusters; it does know every category that they are made of.
"""

import re
import unicodedata

_MARKS = {"Mn", "Me", "Mc"}
_EXTEND = re.compile("[\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_JOINER = "\u200d"
_PREPEND = re.compile("[\u0600-\u0605\u06dd\u070f\u08e2\U000110bd\U000110cd]")
_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]")
_PICTURE = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25aa-\u25ff\u2600-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001fbff\U0001fc00-\U0001fffd]"
)
_BREAKING = {"Cc", "Zl", "Zp", "Cs", "Cf"}


def clusters(text: str) -> int:
    """Return how many clusters a text has."""
    return len(boundaries(text)) - 1


def boundaries(text: str) -> list[int]:
    """Return the places between clusters in ascending order, the text's beginning and end included."""
    if text.isascii() and "\r\n" not in text:
        return list(range(len(text) + 1))
    found = [0]
    flags = 0  # how many halves of flags lie in a row before this place
    pictured = False  # whether a picture, with marks behind it, lies before the joiner before this place
    for place in range(1, len(text)):
        before, after = text[place - 1], text[place]
        flags = flags + 1 if _REGIONAL.match(before) else 0
        pictured = bool(_PICTURE.match(before)) or (pictured and _extends(before))
        if not _is_joined(before, after, flags=flags, pictured=pictured):
            found.append(place)
    found.append(len(text))
    return found


def _is_joined(before: str, after: str, *, flags: int, pictured: bool) -> bool:
    if before == "\r" and after == "\n":
        return True
    if _breaks(before) or _breaks(after):
        return False
    if _extends(after) or _PREPEND.match(before):
        return True
    if before == _JOINER and pictured and _PICTURE.match(after):
        return True
    if flags % 2 and _REGIONAL.match(after):
        return True
    return _is_syllable(before, after)


def _extends(character: str) -> bool:
    return unicodedata.category(character) in _MARKS or bool(_EXTEND.match(character))


def _breaks(character: str) -> bool:
    if _EXTEND.match(character) or _PREPEND.match(character):
        return False
    return unicodedata.category(character) in _BREAKING


def _is_syllable(before: str, after: str) -> bool:
    """Whether two parts of a Korean syllable belong together (GB6 to GB8)."""
    one, other = _korean(before), _korean(after)
    match one:
        case "L":
            return other in {"L", "V", "LV", "LVT"}
        case "LV" | "V":
            return other in {"V", "T"}
        case "LVT" | "T":
            return other == "T"
        case _:
            return False


def _korean(character: str) -> str:
    code = ord(character)
    if 0xAC00 <= code <= 0xD7A3:
        return "LVT" if (code - 0xAC00) % 28 else "LV"
    for kind, ranges in (
        ("L", ((0x1100, 0x115F), (0xA960, 0xA97C))),
        ("V", ((0x1160, 0x11A7), (0xD7B0, 0xD7C6))),
        ("T", ((0x11A8, 0x11FF), (0xD7CB, 0xD7FB))),
    ):
        if any(low <= code <= high for low, high in ranges):
            return kind
    return ""

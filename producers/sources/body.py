"""Reads JSON out of what a stranger posted; knows no monitor. What it returns holds no lone surrogate and no NaN."""

import json

from schemas.shapes import decoder

_strict = decoder(object).decode
_UNREADABLE = (ValueError, RecursionError)  # msgspec's errors and UnicodeDecodeError are ValueErrors


class UnreadableError(ValueError):
    """The body is not JSON, not even leniently; the message says why, without quoting the body."""


def read_json(body: bytes) -> object:
    """Return the JSON value that ``body`` holds; raises UnreadableError.

    Integers keep every digit (up to 4,300). Where strict reading fails there is a second, lenient one: raw control
    characters in strings, a byte order mark, bytes that are not UTF-8 and lone surrogates (both replaced) are forgiven,
    because templates of monitors produce them. NaN, Infinity and numbers beyond a double are not, nor is nesting
    deeper than the interpreter's limit.
    """
    try:
        return _strict(body)
    except _UNREADABLE:
        return _read_leniently(body)


def _read_leniently(body: bytes) -> object:
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"), strict=False, parse_constant=_refuse_constant)
        # Back through the strict reader, so that both ways give the same guarantees.
        return _strict(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise UnreadableError("not readable: nested too deeply") from None
    except ValueError:
        raise UnreadableError("not JSON: NaN, Infinity, or a number out of range") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def write_json(value: object) -> bytes | None:
    """Return a part of a body as compact JSON with sorted keys, or None where it nests too deeply to be written."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    except RecursionError:
        return None

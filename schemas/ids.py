"""Ids that are pure functions of their cause, so that doing a thing twice names it once."""

from hashlib import blake2b
from uuid import uuid4

_SEPARATOR = "\x1f"


def derive(kind: str, *parts: str) -> str:
    """Return 32 lowercase hex digits that depend on ``kind`` and ``parts`` only (BLAKE2b-128)."""
    text = _SEPARATOR.join((kind, *parts))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def public_code(identifier: str) -> str:
    """Shorten an id to the ``[a-z0-9]{12}`` form that the Statuspage API v2 uses."""
    number = int.from_bytes(blake2b(identifier.encode(), digest_size=8).digest(), "big")
    digits = []
    for _ in range(12):
        number, digit = divmod(number, 36)
        digits.append("0123456789abcdefghijklmnopqrstuvwxyz"[digit])
    return "".join(digits)


def random_id() -> str:
    """Return 32 random lowercase hex digits, for what has no cause (a subscriber, a process)."""
    return uuid4().hex

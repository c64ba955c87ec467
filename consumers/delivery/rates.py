"""How often a channel may send: limits as they are written, and what they mean. Pure; who counts is ``limiter``."""

import re
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

NONE = "none"
EXPECTED = "limits such as 30/s, 5/2s or 300/3h, several with commas between them, or none"
_RATE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,4})?([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Rate(NamedTuple):
    """At most ``amount`` in any ``seconds``."""

    amount: int
    seconds: int


def rates_of(text: str) -> tuple[Rate, ...]:
    """Read ``5/2s, 30/m``: all of them hold; an empty text and ``none`` are no limit. Raises ValueError."""
    if text.strip() in ("", NONE):
        return ()
    return tuple(_rate(one.strip()) for one in text.split(","))


def _rate(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected {EXPECTED}")
    amount, many, unit = found.groups()
    return Rate(int(amount), int(many or 1) * _SECONDS[unit])


class Destination(StrEnum):
    """What a limit of destinations counts by: the address of each endpoint, or the host that it is at."""

    ENDPOINT = "endpoint"
    HOST = "host"

    def of(self, address: str) -> str:
        """Return which destination an address belongs to."""
        if self is Destination.ENDPOINT:
            return address
        try:
            return urlsplit(address).hostname or address
        except ValueError:
            return address


class Limits(msgspec.Struct, frozen=True):
    """Rates as text, by what they count: all messages of the ``account``, those of one ``sender``, or to one ``destination``.

    A channel has one account and one sender; what it sends counts towards both. Where ``counts_by`` is the host, each
    host is a provider of its own: a slow one delays no other (``slots``, ``hosts``).
    """

    account: str = ""
    sender: str = ""
    destination: str = ""
    counts_by: Destination = Destination.ENDPOINT

    def changed(self, account: str | None, sender: str | None, destination: str | None) -> "Limits":
        """Return these limits with others in the place of those that are given."""
        given = {"account": account, "sender": sender, "destination": destination}
        return msgspec.structs.replace(self, **{name: text for name, text in given.items() if text is not None})

"""Which channels the page offers to whom: it follows from what is switched on, and from who may add themselves there. No logic."""

from collections.abc import Sequence

import msgspec


class Offer(msgspec.Struct, frozen=True):
    """A channel on which strangers sign up by themselves; ``hint`` is what an address looks like."""

    channel: str
    title: str
    hint: str


class Offers(msgspec.Struct, frozen=True):
    """What the forms have fields for: mail, webhooks, ``others``; ``phone`` is a number's example, empty where none is taken.

    ``browser_key`` is the public key with which a browser subscribes to notifications, empty where there are none.
    """

    email: bool = True
    webhook: bool = True
    others: Sequence[Offer] = ()
    phone: str = ""
    browser_key: str = ""


BY_DEFAULT = Offers()
"""What the page offers where nobody says what is switched on."""

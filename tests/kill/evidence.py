"""What was done to a Tocsin, what it says of it, and what others saw: all that is needed to judge it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Receipt(NamedTuple):
    """One message that reached somebody."""

    notification: str
    endpoint: str


class Said(NamedTuple):
    """What a monitor said of one alert instance."""

    fingerprint: str
    status: str


@dataclass(frozen=True)
class Evidence:
    """One siege.

    ``acknowledged`` and ``event_ids`` are what senders of alerts were promised; ``said`` is all that they ever sent.
    ``commands`` are texts that operators were promised to find on the log. ``events`` is the whole audit log,
    ``listed`` the state by notification in the deliveries reports, ``received`` what reached people, in order.
    ``shown`` and ``expected`` are the statuses of components by name. ``complaints`` are answers and messages that
    should never have been.
    """

    acknowledged: frozenset[Said]
    event_ids: frozenset[str]
    said: frozenset[Said]
    commands: frozenset[str]
    events: Sequence[Mapping[str, Any]]
    listed: Mapping[str, str]
    received: Sequence[Receipt]
    shown: Mapping[str, str]
    expected: Mapping[str, str]
    complaints: Sequence[str] = ()

"""The vocabulary of the way in: what a monitor posted, and what was understood of it. No parsing and no I/O here.

A source is a pure function ``parse(RawRequest) -> Parsed``. It is total: whatever the bytes are, it returns and never
raises; what it cannot understand becomes a ``Problem`` and so, at the intake, a dead letter.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from schemas.events import Micros
from schemas.vocabulary import AlertStatus, Severity


class RawRequest(msgspec.Struct, frozen=True, gc=False):
    """One POST of a monitor as it arrived. Header names are lower-cased; ``received_at`` is our clock.

    ``endpoint`` is the path below the source's own, empty for that itself.
    """

    body: bytes
    headers: Mapping[str, str]
    content_type: str
    received_at: Micros
    endpoint: str = ""


class Alert(msgspec.Struct, frozen=True, gc=False):
    """What a monitor said about one alert instance, normalised, before any state is known.

    ``fingerprint`` is the instance key: the same for firing and resolved, and never a hash of the body. ``starts_at``
    is the start of the episode, None where the protocol names none. ``ends_at`` is set on resolved alerts only.
    ``expires_at`` is a lease: if nothing is heard until then, the alert is over. ``inconclusive`` marks a resolved alert
    that is no recovery (the monitor lost sight of the thing). ``test`` marks what a person sent to try the connection.
    """

    fingerprint: str
    status: AlertStatus
    severity: Severity
    starts_at: Micros | None
    ends_at: Micros | None
    expires_at: Micros | None
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str
    test: bool = False
    inconclusive: bool = False


class Problem(msgspec.Struct, frozen=True, gc=False):
    """What could not be understood, for people, and its bytes: the JSON of a part of the body, or the whole body."""

    reason: str
    raw: bytes


class Parsed(msgspec.Struct, frozen=True):
    """What one body gave.

    ``ignored`` counts what is well understood and says nothing about an alert (an acknowledgement, a heartbeat).
    ``warnings`` tell what was cut, or dropped although the alert as a whole was taken.
    """

    alerts: list[Alert]
    problems: list[Problem]
    ignored: int
    warnings: list[str]


class Parse(Protocol):
    """Reads one body. Pure, total, quick: no clock, no I/O, never raises."""

    def __call__(self, request: RawRequest, /) -> Parsed:
        """Return what ``request`` says."""


class SourceKind(msgspec.Struct, frozen=True):
    """A monitoring system that Tocsin understands.

    ``name`` is the configuration's ``kind``; ``docs`` is the section of docs/sources.md. ``endpoints`` are further paths
    below the source's ingest URL on which it speaks another protocol, e.g. ``api/v2/alerts``.
    """

    name: str
    title: str
    docs: str
    parse: Parse
    endpoints: dict[str, Parse] = {}

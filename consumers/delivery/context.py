"""What a channel needs from its surroundings beside its settings: the time, and whose messages it sends. It holds no configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class ChannelContext:
    """Given to every channel factory. ``now`` returns aware datetimes in UTC, ``page`` is the id of the page."""

    now: Callable[[], datetime] = utc_now
    page: str = ""

"""What a channel needs from its surroundings beside its settings: the time, and whose messages it sends. It holds no configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def unheard(_channel: str, _provider: str, _rests: bool) -> None:  # noqa: FBT001 -- what a metric is set to
    """Take no notice."""


@dataclass(frozen=True)
class ChannelContext:
    """Given to every channel factory. ``now`` returns aware datetimes in UTC, ``page`` is the id of the page.

    ``rests`` is told, with the channel's and the provider's name, whether one of several providers rests from now on.
    """

    now: Callable[[], datetime] = utc_now
    page: str = ""
    rests: Callable[[str, str, bool], object] = unheard

"""What a channel needs from its surroundings beside its settings: the time, and whose messages it sends. It holds no configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from consumers.delivery.conditions import Rest


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def unheard(_channel: str, _provider: str, _rest: Rest | None) -> None:
    """Take no notice."""


@dataclass(frozen=True)
class ChannelContext:
    """Given to every channel factory. ``now`` returns aware datetimes in UTC, ``page`` is the id of the page.

    ``rests`` is told of each of several providers, in their turn, by the channel's and the provider's name; and when one of
    them rests from now on, or is well again (None).
    """

    now: Callable[[], datetime] = utc_now
    page: str = ""
    rests: Callable[[str, str, Rest | None], object] = unheard

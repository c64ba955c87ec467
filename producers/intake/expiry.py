"""Destroys the keys of dead letters that have expired: from then on nobody can read their bytes, wherever a copy lies.

A key's name says the day on which it expires, because the letter itself may be gone from the log before.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from schemas.events import Micros
from streams.runtime.clock import Clock

_log = logging.getLogger(__name__)
DAY: Micros = 24 * 3600 * 1_000_000
PAUSE_SECONDS = 6 * 3600.0
_PREFIX = "deadletter:"


class Keys(Protocol):
    """The part of the key store that forgets; both methods block."""

    def owners(self) -> Iterable[str]:
        """Return all that have a key."""

    def erase(self, owner: str) -> bool:
        """Destroy the owner's key; False if there was none."""


def key_name(identifier: str, expires_at: Micros) -> str:
    """Return the owner of the key that seals a letter: it names the first day on which the letter is not read any more."""
    return f"{_PREFIX}{-(-expires_at // DAY)}:{identifier}"


def has_expired(owner: str, now: Micros) -> bool:
    """Return whether a key is a dead letter's, and no letter under it is read any more."""
    day, _, identifier = owner.removeprefix(_PREFIX).partition(":")
    is_dated = owner.startswith(_PREFIX) and bool(identifier) and day.isascii() and day.isdigit()
    return is_dated and int(day) * DAY <= now


def purge(keys: Keys, now: Micros) -> int:
    """Destroy the keys that have expired and return how many there were."""
    return sum(keys.erase(owner) for owner in list(keys.owners()) if has_expired(owner, now))


async def purge_for_ever(keys: Keys, clock: Clock, pause: float = PAUSE_SECONDS) -> None:
    """Purge now and every six hours, until cancelled. Any number of processes may do it at once."""
    while True:
        try:
            gone = await asyncio.to_thread(purge, keys, clock())
        except Exception as error:  # a key store that is away now; it is tried again, and nothing depends on when
            _log.warning("the keys of expired dead letters could not be destroyed: %s", type(error).__name__)
        else:
            if gone:
                _log.info("%d dead letters have expired: their keys are destroyed", gone)
        await asyncio.sleep(pause)

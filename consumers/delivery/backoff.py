"""When a failed attempt is tried again, and when no more: pure."""

from datetime import timedelta
from random import Random

FIRST = timedelta(seconds=2)
MOST = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
IN_DOUBT = (timedelta(seconds=2), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
"""The waits between attempts of what is in doubt and may be sent again: a receiver that is silent is given time to recover."""


def delay(attempts: int, random: Random, asked: timedelta | None) -> timedelta:
    """Return the wait before the next attempt: doubling from two seconds to an hour, +-20 % so that crowds disperse.

    Where the provider named a time it is not undercut.
    """
    doubled: timedelta = min(MOST, FIRST * 2 ** min(attempts - 1, 20)) * random.uniform(0.8, 1.2)
    return doubled if asked is None else max(doubled, asked)


def in_doubt(attempts: int, random: Random) -> timedelta | None:
    """Return the wait before what is in doubt is sent again after so many attempts, +-20 %; None: no more."""
    waits: timedelta | None = IN_DOUBT[attempts - 1] if 1 <= attempts <= len(IN_DOUBT) else None
    return None if waits is None else waits * random.uniform(0.8, 1.2)


def asking(age: timedelta, least: timedelta, random: Random) -> timedelta:
    """Return the wait before a provider is asked again about what is ``age`` old: half of that, up to an hour.

    It grows with the age and not with a count, so that nothing but the time of the notice has to be remembered.
    """
    return max(least, min(MOST, age / 2)) * random.uniform(1.0, 1.2)

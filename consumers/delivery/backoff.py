"""When a failed attempt is tried again, and when no more: pure."""

from datetime import timedelta
from random import Random

FIRST = timedelta(seconds=2)
MOST = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)


def delay(attempts: int, random: Random, asked: timedelta | None) -> timedelta:
    """Return the wait before the next attempt: doubling from two seconds to an hour, +-20 % so that crowds disperse.

    Where the provider named a time it is not undercut.
    """
    doubled: timedelta = min(MOST, FIRST * 2 ** min(attempts - 1, 20)) * random.uniform(0.8, 1.2)
    return doubled if asked is None else max(doubled, asked)

"""The clock: the one place that asks what time it is, so that everything else can be told."""

import time
from collections.abc import Callable
from typing import TypeAlias

from schemas.events import Micros

Clock: TypeAlias = Callable[[], Micros]


def system_clock() -> Micros:
    """Return the time as microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000

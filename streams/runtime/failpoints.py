"""Named places at which a test lets the process die; without one named in the environment they do nothing.

``TOCSIN_FAILPOINT=sent:3`` kills the process (SIGKILL, no clean-up) when it comes past ``sent`` for the third time.
"""

import os
import signal
from collections.abc import Callable, Mapping
from typing import TypeAlias

Failpoint: TypeAlias = Callable[[str], None]
VARIABLE = "TOCSIN_FAILPOINT"
NAMES = ("before_claim", "claimed", "before_send", "sent", "before_record", "recorded")
"""In the order in which one notification comes past them."""


def none(name: str) -> None:
    """Go past every failpoint."""


def from_environment(environment: Mapping[str, str]) -> Failpoint:
    """Return the failpoint that the environment asks for; raises ValueError for one that does not exist."""
    wanted, _, count = environment.get(VARIABLE, "").partition(":")
    if not wanted:
        return none
    if wanted not in NAMES or not (count or "1").isdigit():
        raise ValueError(f"{VARIABLE}: expected NAME or NAME:COUNT with NAME one of {', '.join(NAMES)}")
    left = int(count or "1")

    def die(name: str) -> None:
        nonlocal left
        if name == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return die

"""How the Python interpreter is set in a process that serves or sends: its collector, and how threads take turns."""

import gc
import sys

_SWITCH_SECONDS = 0.0002
"""A log's writer gives up the interpreter at each statement or answer, and has it back so soon where others are busy."""
_COLLECTOR = (10_000, 20, 20)
"""Thresholds of the garbage collector: events and incidents hold no cycles, and looking at all of them takes long."""


def share_interpreter() -> None:
    """Let threads take turns quickly."""
    sys.setswitchinterval(_SWITCH_SECONDS)


def settle_collector() -> None:
    """Once all is loaded: have the collector look at less, and less often."""
    gc.collect()
    gc.set_threshold(*_COLLECTOR)
    gc.freeze()  # what is loaded stays: the collector need not look at it again and again


def tune_interpreter() -> None:
    """Do both: what a whole process does that serves and sends."""
    share_interpreter()
    settle_collector()

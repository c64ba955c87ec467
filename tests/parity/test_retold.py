"""A history is the same for the same seed, or nobody could look for what went wrong in it."""

import os
import subprocess
import sys

_TIMES = 4
"""The threads of a process take turns otherwise each time, and its sets have another order."""


def told(time: int) -> list[str]:
    command = [sys.executable, "-m", "tests.parity.retold", "1", "12", "40"]
    environment = {**os.environ, "PYTHONHASHSEED": str(time)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_seed_tells_one_history() -> None:
    first, *others = [told(time) for time in range(_TIMES)]
    assert len(first) == 42
    for other in others:
        assert [at for at, pair in enumerate(zip(first, other, strict=True)) if pair[0] != pair[1]] == []

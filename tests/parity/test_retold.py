"""A history is the same for the same seed, or nobody could look for what went wrong in it."""

import os
import subprocess
import sys


def told(hashes: str) -> list[str]:
    # Sets have another order in each process, unless it is told how to hash.
    command = [sys.executable, "-m", "tests.parity.retold", "1", "12", "40"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": hashes}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_seed_tells_one_history() -> None:
    first, second = told("1"), told("2")
    assert len(first) == 42
    assert [at for at, pair in enumerate(zip(first, second, strict=True)) if pair[0] != pair[1]] == []

"""What happens when a test's real program cannot be had: it fails in CI, elsewhere it is skipped and named."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from deploy.debian import program
from deploy.errors import PartUnavailableError


def need(name: str) -> Path:
    """Return the program, or end the test that asks: as failed where CI is set, as skipped elsewhere."""
    try:
        return program(name)
    except PartUnavailableError as error:
        unavailable(f"{name}: {error}")


def unavailable(reason: str) -> NoReturn:
    """End the test for the want of a real part: as failed where CI is set, as skipped elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

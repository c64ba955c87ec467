"""Every kind of fault once, at real processes under load: nothing accepted is lost, nobody told twice but what is listed.

``FAULT_ROUNDS`` and ``FAULT_SEED`` ask for more and for others.
"""

import os
from pathlib import Path

import pytest

from streams.runtime.failpoints import NAMES
from tests.faults import run
from tests.faults.report import of_fleet
from tests.parts.kafka import new_broker
from tests.parts.redis import new_redis

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
KINDS = {
    *(f"SIGKILL at {name}" for name in NAMES),
    *(f"SIGKILL of {kind}" for kind in ("email", "webhook", "streams", "api")),
    "SIGSTOP beyond the lease",
    "SIGSTOP beyond the session",
    "streams 1 -> 3 -> 2",
    "broker restarted",
    "Redis restarted",
    "Redis wiped",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # Where a real part cannot be had, they say so before anything is started.
    new_broker(tmp_path / "unused")
    new_redis(tmp_path / "unused")
    return tmp_path


def test_what_is_promised_holds_after_every_fault(folder: Path) -> None:
    found = run.run(folder, ROUNDS, SEED, print)
    print(f"\nseed {SEED}\n{of_fleet(found)}")
    assert not found.broken, f"seed {SEED}:\n" + "\n".join(found.broken)
    assert found.thrown.keys() == KINDS
    assert all(count >= ROUNDS for count in found.thrown.values())
    assert found.counts["alerts"] > 100, "there was load"
    assert found.counts["sent"] > 20
    assert found.counts["plans before wipes"] > 0, "there was something that a wipe could have changed"

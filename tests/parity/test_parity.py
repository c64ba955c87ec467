"""One history through both engines: real Kafka, real Redis and three real workers on one side, one file on the other.

``PARITY_SEED`` asks for another one.
"""

import os
from pathlib import Path

import pytest

from tests.parity.run import Parity
from tests.parts.kafka import shared_broker
from tests.parts.redis import new_redis

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]
ROUNDS, PAGES, CHECKS = 60, 40, 1
DEATHS = (0, 40, 90)
SEED = int(os.environ.get("PARITY_SEED", "1"))


def test_both_engines_make_the_same_of_a_long_history(tmp_path: Path) -> None:
    """Whatever differs is named with what led to it; ``python -m tests.parity --seed`` tells the same history again."""
    print(f"seed {SEED}, {PAGES} pages, {ROUNDS} rounds")
    servers = shared_broker().servers
    with (
        new_redis(tmp_path / "redis") as redis,
        Parity(SEED, PAGES, DEATHS, servers, redis.url, tmp_path, print) as parity,
    ):
        parity.play(ROUNDS, CHECKS)
        print(parity.summary())
    told = parity.history.counts
    assert told["AlertReceived"] > 1_200
    assert told["doubled at once"] > 100
    assert sum(count for kind, count in told.items() if kind.endswith(" again")) > 100
    for kind in ("TimerFired", "IncidentOpened", "IncidentUpdated", "MaintenanceUpdated", "DraftApproved"):
        assert told[kind] > 0, f"a history without {kind} compares little"
    assert parity.died == 2
    assert parity.logs.emitted_twice > 0
    assert parity.compared["notification"] > 1_500

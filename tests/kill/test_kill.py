"""Killed at random moments and at every failpoint, under load, with slow and moody receivers: what is promised holds.

``KILL_ROUNDS`` asks for more random kills for each channel than the few of an ordinary run, ``KILL_SEED`` for others.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.runtime.failpoints import NAMES
from tests.kill.evidence import Evidence
from tests.kill.forge import Forge
from tests.kill.invariants import judge
from tests.kill.report import table
from tests.kill.siege import CHANNELS, Siege, siege
from tests.kill.tampering import TAMPERINGS, Tampering

pytestmark = pytest.mark.slow
ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
SEED = int(os.environ.get("KILL_SEED", "1"))


class Survivor:
    """A folder after all its deaths, with the server stopped, and the evidence that was taken before."""

    def __init__(self, made: Siege, evidence: Evidence) -> None:
        self.made = made
        self.evidence = evidence

    def run(self, *words: str, data: Path | None = None) -> tuple[int, str]:
        """Run a command of the installation on the folder, or on a copy of it."""
        return self.made.tocsin.run(*words, "--data", data or self.made.tocsin.data)

    def copy(self, folder: Path) -> Path:
        """Return a copy of the folder that may be spoiled."""
        return Path(shutil.copytree(self.made.tocsin.data, folder / "copy"))


@pytest.fixture(scope="module", params=CHANNELS)
def survivor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    folder = tmp_path_factory.mktemp(request.param)
    with Forge() as forge, siege(folder, request.param, SEED, forge.spawn) as made:
        for name in NAMES:
            made.kill_at(name)
        for _ in range(ROUNDS):
            made.kill_at_random()
        evidence = made.end()
        beside = made.tocsin.run("replay", "--check", "--data", made.tocsin.data)
        assert beside[0] == 0, f"beside the running server: {beside[1]}"
        assert made.tocsin.stop() == 0, made.tocsin.printed()
        yield Survivor(made, evidence)


def test_what_is_promised_holds_after_every_death(survivor: Survivor) -> None:
    found = judge(survivor.evidence)
    print(f"\nseed {SEED}\n{table([(survivor.made.channel, survivor.made.kills, found)])}")
    assert not found.broken, f"seed {SEED}:\n" + "\n".join(found.broken)
    assert found.counts["alerts"] > 100, "there was load"
    assert found.counts["sent"] > 20
    assert survivor.made.kills >= 2 * len(NAMES) + ROUNDS


def test_the_log_and_its_projections_hold(survivor: Survivor) -> None:
    for words in (("replay", "--check"), ("log", "verify")):
        code, printed = survivor.run(*words)
        assert code == 0, printed


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda one: one.name)
def test_one_changed_byte_is_found(survivor: Survivor, tampering: Tampering, tmp_path: Path) -> None:
    copy = survivor.copy(tmp_path)
    tampering.spoil(copy, SEED)
    code, printed = survivor.run(*tampering.command, data=copy)
    assert code == 1, printed
    assert "Traceback" not in printed

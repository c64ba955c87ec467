"""Tells a history to the embedded engine alone and prints what was told: ``python -m tests.parity.retold SEED PAGES ROUNDS``."""

import sys
import tempfile
from pathlib import Path

from streams.keys.master import MASTER_VARIABLE
from tests.builders.views import NOW
from tests.parity.clock import FileClock
from tests.parity.embedded import EmbeddedEngine
from tests.parity.history import History
from tests.parity.telling import Round


def retell(folder: Path, seed: int, pages: int, rounds: int) -> None:
    """Print a line for each round."""
    clock = FileClock.new(folder / "clock", NOW)
    engine = EmbeddedEngine(folder / "embedded", clock, {MASTER_VARIABLE: "ab" * 32})
    history = History(seed, pages, engine)

    def tell(told: Round) -> None:
        print([(said.event, said.times) for said in told.said])
        clock.set(told.now)
        engine.take(told.said)
        engine.settle()

    tell(history.beginning())
    tell(history.first_subscribers())
    for _ in range(rounds):
        tell(history.next_round())
    engine.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        retell(Path(made), *map(int, sys.argv[1:]))

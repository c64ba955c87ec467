"""Kills Tocsin many times under load and prints what came of it: ``python -m tests.kill --rounds 200``.

Every round is one random kill for each channel; every failpoint is visited ``--passes`` times besides. The exit code is
1 if anything that is promised was broken; what it was is printed with the seed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from streams.runtime.failpoints import NAMES
from tests.kill.forge import Forge
from tests.kill.invariants import Judgement, judge
from tests.kill.report import table
from tests.kill.siege import CHANNELS, siege
from tests.parts.tocsin import Spawn, spawn


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="random kills for each channel")
    parser.add_argument("--passes", type=int, default=1, help="kills at each failpoint, for each channel")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--channel", choices=CHANNELS, action="append", help="only this one; may be repeated")
    parser.add_argument("--command", action="store_true", help="start the installed command each time: slower")
    wanted = parser.parse_args()
    rows: list[tuple[str, int, Judgement]] = []
    with Forge() as forge:
        for channel in wanted.channel or CHANNELS:
            how: Spawn = spawn if wanted.command else forge.spawn
            rows.append(_one(channel, wanted.rounds, wanted.passes, wanted.seed, how))
            print(table(rows[-1:]), flush=True)
    print(f"\nseed {wanted.seed}\n{table(rows)}")
    broken = [complaint for _, _, found in rows for complaint in found.broken]
    print("\n".join(broken) or "nothing is broken")
    return 1 if broken else 0


def _one(channel: str, rounds: int, passes: int, seed: int, spawned: Spawn) -> tuple[str, int, Judgement]:
    with tempfile.TemporaryDirectory() as folder, siege(Path(folder), channel, seed, spawned) as made:
        for _ in range(rounds):
            made.kill_at_random()
        for _ in range(passes):
            for name in NAMES:
                made.kill_at(name)
        found = judge(made.end())
        for words in (("replay", "--check"), ("log", "verify")):
            code, printed = made.tocsin.run(*words, "--data", made.tocsin.data)
            if code:
                found = Judgement(found.counts, (*found.broken, f"{' '.join(words)}: {printed}"))
        return channel, made.kills, found


if __name__ == "__main__":
    sys.exit(main())

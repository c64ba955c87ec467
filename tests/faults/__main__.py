"""Throws faults of every kind at the distributed engine under load: ``python -m tests.faults --rounds 3 --seed 11``.

Every round throws each kind once, in another order and at other moments. At the end the embedded log meets a full disk.
The exit code is 1 if anything that is promised was broken; what it was is printed with the seed.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.faults import disk, run
from tests.faults.report import of_disk, of_fleet


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1, help="how often each kind of fault is thrown")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where what the processes print is kept; by default it is not")
    wanted = parser.parse_args()
    start = time.monotonic()

    def report(text: str) -> None:
        print(f"{time.monotonic() - start:6.1f} s  {text}", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        folder = wanted.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = run.run(_new(folder / "fleet"), wanted.rounds, wanted.seed, report)
        full = disk.run(_new(folder / "disk"), wanted.seed, report)
    print(f"\nseed {wanted.seed}, {time.monotonic() - start:.0f} s\n\n{of_fleet(found)}\n\n{of_disk(full)}\n")
    broken = (*found.broken, *full.judged.broken)
    print("\n".join(broken) or "nothing is broken")
    return 1 if broken else 0


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())

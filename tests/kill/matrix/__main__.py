"""Kills Tocsin at every failpoint, for every channel, and prints what came of it: ``python -m tests.kill.matrix``.

Each cell is an incident of three updates: the process dies (SIGKILL) at the failpoint when the opening is told, once, or
again when it catches up. The log, the deliveries report and what the vendors got are held against each other. The exit
code is 1 if anything that is promised was broken.
"""

import argparse
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from streams.runtime.failpoints import NAMES
from tests.kill.forge import FLEET, Forge
from tests.kill.matrix import fleet, table
from tests.kill.matrix.roads import ROAD_OF_NAME, classes
from tests.kill.matrix.run import run
from tests.kill.matrix.verdict import Row
from tests.kill.matrix.ward import RESTARTS, ward


@dataclass
class Progress:
    """What is done of ``total`` cells; prints a line for each."""

    total: int
    quiet: bool
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, row: Row) -> None:
        """Say how a cell ended."""
        with self.lock:
            self.done += 1
            counts = ", ".join(f"{count} {name}" for name, count in row.counts.items() if count)
            if not self.quiet:
                verdict = "BROKEN" if row.broken else "holds"
                print(
                    f"[{self.done}/{self.total}] {row.road} {row.failpoint} {row.restart}: {verdict}: {counts}",
                    flush=True,
                )


def main() -> int:
    wanted = _parser().parse_args()
    roads = [
        road for road in ROAD_OF_NAME.values() if not wanted.channel or {road.name, road.channel} & set(wanted.channel)
    ]
    distributed = wanted.engine == "distributed"
    if distributed and not wanted.channel:
        roads = [ROAD_OF_NAME[name] for name in fleet.ROADS]
    failpoints = wanted.failpoint or (fleet.FAILPOINTS if distributed else NAMES)
    restarts = wanted.restart or (RESTARTS[:1] if distributed else RESTARTS)
    progress = Progress(len(roads) * len(failpoints) * len(restarts), quiet=wanted.json)
    with ExitStack() as parts:
        admit = parts.enter_context(fleet.wards()) if distributed else ward
        forge = parts.enter_context(Forge(FLEET) if distributed else Forge())
        pool = parts.enter_context(ThreadPoolExecutor(wanted.jobs))
        runs = [pool.submit(run, road, failpoints, restarts, forge.spawn, progress.tell, admit) for road in roads]
        found = [one.result() for one in runs]
    rows = [row for one in found for row in one.rows]
    if wanted.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(f"\n{table.by_road(rows)}\n\n{table.of_classes(classes())}\n\n{table.by_class(rows)}\n")
    broken = [f"{row.road}, {row.failpoint}, {row.restart}: {one}" for row in rows for one in row.broken]
    broken += [f"{one.road}: {what}" for one in found for what in one.broken]
    print("\n".join(broken) or "nothing is broken", file=sys.stderr if wanted.json else sys.stdout)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kill.matrix", description=(__doc__ or "").splitlines()[0])
    names = sorted({name for road in ROAD_OF_NAME.values() for name in (road.name, road.channel)})
    parser.add_argument("--channel", choices=names, action="append", help="only this one; may be repeated")
    parser.add_argument("--failpoint", choices=NAMES, action="append", help="only this one; may be repeated")
    parser.add_argument("--restart", choices=RESTARTS, action="append", help="one death in each cell, or two")
    parser.add_argument(
        "--engine",
        choices=("embedded", "distributed"),
        default="embedded",
        help="distributed: kill the sender of a fleet on Kafka and Redis; a few cells, unless more are asked for",
    )
    parser.add_argument("--jobs", type=int, default=2, help="installations at once")
    parser.add_argument("--json", action="store_true", help="print the cells as JSON, with the reason of each doubt")
    return parser


if __name__ == "__main__":
    sys.exit(main())

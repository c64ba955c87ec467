"""``python -m tests.parity --steps N --seed S``: a history of any length through both engines, with counts."""

import argparse
import tempfile
from pathlib import Path

from deploy.kafka.broker import Broker
from deploy.redis.server import Redis
from schemas.ids import random_id
from tests.parity.run import Parity


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="rounds; in each every page does something")
    parser.add_argument("--seed", type=int, default=int(random_id()[:6], 16))
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--checks", type=int, default=10, help="how often everything is compared on the way")
    parser.add_argument("--deaths", type=int, default=6, help="how many workers die behind an emission")
    chosen = parser.parse_args()
    deaths = [40 + 37 * number for number in range(chosen.deaths)]
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-parity-") as name:
        folder = Path(name)
        with (
            Broker(folder / "kafka") as broker,
            Redis(folder / "redis") as redis,
            Parity(chosen.seed, chosen.pages, deaths, broker.servers, redis.url, folder, _say) as parity,
        ):
            parity.play(chosen.steps, chosen.checks)
            print(parity.summary())


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()

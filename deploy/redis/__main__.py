"""``python -m deploy.redis``: runs one Redis in the foreground until it is interrupted."""

import argparse
import sys
from pathlib import Path

from deploy.child import HOST
from deploy.foreground import run
from deploy.redis.server import Redis

DATA = Path(__file__).parents[2] / ".parts" / "redis" / "data"


def main() -> int:
    """Run a Redis; returns the exit code."""
    arguments = argparse.ArgumentParser(prog="python -m deploy.redis", description=main.__doc__)
    arguments.add_argument("--port", type=int, default=6379)
    arguments.add_argument("--data", type=Path, default=DATA, help="kept over restarts")
    chosen = arguments.parse_args()
    folder = chosen.data.resolve()
    notice = f"Redis takes connections at {HOST}:{chosen.port}; its data and its log are in {folder}; Ctrl-C stops it"
    return run(lambda: Redis(folder, chosen.port), notice)


if __name__ == "__main__":
    sys.exit(main())

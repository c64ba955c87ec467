"""``python -m deploy.kafka``: runs one Kafka node in the foreground until it is interrupted."""

import argparse
import sys
from pathlib import Path

from deploy.child import HOST
from deploy.foreground import run
from deploy.kafka.broker import Broker
from deploy.kafka.jars import CACHE


def main() -> int:
    """Run a node; returns the exit code."""
    arguments = argparse.ArgumentParser(prog="python -m deploy.kafka", description=main.__doc__)
    arguments.add_argument("--port", type=int, default=9092)
    arguments.add_argument("--data", type=Path, default=CACHE.parent / "data", help="kept over restarts")
    chosen = arguments.parse_args()
    folder = chosen.data.resolve()
    notice = f"Kafka takes connections at {HOST}:{chosen.port}; its data and its log are in {folder}; Ctrl-C stops it"
    return run(lambda: Broker(folder, chosen.port), notice)


if __name__ == "__main__":
    sys.exit(main())

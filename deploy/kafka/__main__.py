"""``python -m deploy.kafka``: runs one Kafka node in the foreground until it is interrupted."""

import argparse
import signal
import sys
from pathlib import Path

from deploy.kafka.broker import Broker, BrokerError
from deploy.kafka.jars import CACHE, PartsError


def main() -> int:
    """Run a node; returns the exit code."""
    arguments = argparse.ArgumentParser(prog="python -m deploy.kafka", description=main.__doc__)
    arguments.add_argument("--port", type=int, default=9092)
    arguments.add_argument("--data", type=Path, default=CACHE.parent / "data", help="kept over restarts")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Broker(chosen.data.resolve(), chosen.port) as broker:
            print(
                f"Kafka takes connections at {broker.servers}; its log is {broker.log_file}; Ctrl-C stops it",
                flush=True,
            )
            return broker.wait()
    except KeyboardInterrupt:
        return 0
    except (BrokerError, PartsError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

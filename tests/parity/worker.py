"""``python -m tests.parity.worker SERVERS REDIS NAMESPACE CLOCK``: the role ``streams`` as it is, but for the clock."""

import os
import sys
from pathlib import Path

from tests.parity.clock import FileClock
from tocsin.config.models import Engine
from tocsin.fleet.ground import Ground
from tocsin.fleet.streams import StreamsWorker
from tocsin.listening import bind, nothing


def main(servers: str, redis: str, namespace: str, clock: str) -> None:
    engine = Engine.model_validate({"kafka": servers, "redis": redis, "namespace": namespace})
    ground = Ground(engine, os.environ, FileClock(Path(clock)))
    with bind("127.0.0.1", 0) as listening:
        try:
            StreamsWorker(ground).serve(listening, nothing)
        finally:
            ground.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

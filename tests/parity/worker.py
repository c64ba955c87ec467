"""``python -m tests.parity.worker SERVERS REDIS NAMESPACE CLOCK APPENDS``: the role ``streams``, but for clock and death.

With APPENDS other than 0 it dies as soon as so many of its appends were acknowledged, of which the last is an emission and
no wake-up: what it emitted then lies on the log, and that it folded the cause is nowhere noted.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.log.kafka import KafkaEventLog
from streams.log.port import Appended, Record
from tests.parity.clock import FileClock
from tests.parity.fleet import DIED
from tocsin.config.models import Engine
from tocsin.fleet.ground import Ground
from tocsin.fleet.streams import StreamsWorker
from tocsin.listening import bind, nothing


def mortal(log: KafkaEventLog, appends: int) -> None:
    """Let the process end behind so many appends, without a chance to do anything else."""
    left, append = appends, log.append

    def append_and_die(records: Sequence[Record]) -> list[Appended]:
        nonlocal left
        done = append(records)
        left -= 1
        if left <= 0 and any(record.origin for record in records):
            os._exit(DIED)
        return done

    log.append = append_and_die  # type: ignore[method-assign]


def main(servers: str, redis: str, namespace: str, clock: str, appends: str) -> None:
    engine = Engine.model_validate({"kafka": servers, "redis": redis, "namespace": namespace})
    ground = Ground(engine, os.environ, FileClock(Path(clock)))
    if int(appends):
        mortal(ground.log, int(appends))
    with bind("127.0.0.1", 0) as listening:
        try:
            StreamsWorker(ground).serve(listening, nothing)
        finally:
            ground.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

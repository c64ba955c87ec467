"""A worker of the streams over a log with as many partitions as a benchmark asks for: ``tocsin worker`` has declared ones.

``python -m bench.partition_worker SERVERS REDIS NAMESPACE PARTITIONS FOLDER``. Driver, processors, log and store are the
product's own.
"""

import sys
from dataclasses import replace
from pathlib import Path

from schemas.topics import TOPICS
from streams.log.kafka import KafkaEventLog
from streams.runtime.clock import system_clock
from streams.runtime.faust_driver import FaustDriver
from streams.runtime.redis_store import RedisStateStore
from tocsin.fleet.ground import Ground
from tocsin.fleet.processors import Processors


class Bench(Ground):
    """Log and store of one benchmark; there are no keys."""

    def __init__(self, servers: str, redis: str, namespace: str, partitions: int) -> None:
        self.clock = system_clock
        self.log = open_log(servers, namespace, partitions)
        self.store = RedisStateStore(redis, namespace)


def open_log(servers: str, namespace: str, partitions: int) -> KafkaEventLog:
    """Open the log, and make it where it does not exist."""
    topics = [replace(topic, partitions=partitions) for topic in TOPICS]
    return KafkaEventLog([servers], topics, namespace=namespace, chained=False)


def main(servers: str, redis: str, namespace: str, partitions: str, folder: str) -> None:
    """Fold until told to stop."""
    bench = Bench(servers, redis, namespace, int(partitions))
    processors = Processors(bench)
    processors.start()
    FaustDriver(processors.folds, bench.log, [servers], Path(folder), namespace=namespace).run()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""``python -m tests.integration.kafka.worker SERVERS NAMESPACE REDIS_PORT FOLDER``: a real worker of the counting processor."""

import sys
from datetime import timedelta
from pathlib import Path

from streams.log.kafka import KafkaEventLog
from streams.runtime.faust_driver import FaustDriver
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.redis_store import RedisStateStore
from tests.integration.kafka.counting import COUNTING, TOPICS


def main(servers: str, namespace: str, redis_port: str, folder: str) -> None:
    log = KafkaEventLog([servers], TOPICS, namespace=namespace, chained=False)
    store = RedisStateStore(f"redis://127.0.0.1:{redis_port}/0")
    FaustDriver(
        lambda: [PartitionFold(COUNTING, log, store)],
        log,
        [servers],
        Path(folder),
        namespace=namespace,
        session=timedelta(seconds=3),
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])

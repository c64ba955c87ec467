"""``python -m tests.integration.kafka.worker CREW SERVERS NAMESPACE REDIS_PORT FOLDER``: a real worker process."""

import sys
from datetime import timedelta
from pathlib import Path

from streams.log.kafka import KafkaEventLog
from streams.runtime.faust_driver import FaustDriver
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.redis_store import RedisStateStore
from tests.integration.kafka.crews import CREWS


def main(crew: str, servers: str, namespace: str, redis_port: str, folder: str) -> None:
    chosen = CREWS[crew]
    log = KafkaEventLog([servers], chosen.topics, namespace=namespace, chained=False)
    store = RedisStateStore(f"redis://127.0.0.1:{redis_port}/0")
    FaustDriver(
        lambda: [PartitionFold(processor, log, store) for processor in chosen.processors],
        log,
        [servers],
        Path(folder),
        namespace=namespace,
        session=timedelta(seconds=chosen.session),
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])

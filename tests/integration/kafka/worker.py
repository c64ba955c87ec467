"""``python -m tests.integration.kafka.worker SERVERS NAMESPACE REDIS_PORT FOLDER``: a real worker process."""

import sys
from datetime import timedelta
from pathlib import Path

from streams.log.kafka import KafkaEventLog
from streams.runtime.faust_driver import FaustDriver
from streams.runtime.partition_fold import PartitionFold
from tests.integration.kafka.counting import COUNTING, TOPICS
from tests.integration.kafka.redis_store import RedisStateStore


def main(servers: str, namespace: str, redis_port: str, folder: str) -> None:
    log = KafkaEventLog([servers], TOPICS, namespace=namespace, chained=False)
    fold = PartitionFold(COUNTING, log, RedisStateStore(int(redis_port)))
    FaustDriver(fold, [servers], Path(folder), namespace=namespace, session=timedelta(seconds=3)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])

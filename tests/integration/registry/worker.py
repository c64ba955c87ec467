"""``python -m tests.integration.registry.worker SERVERS NAMESPACE REDIS_PORT FOLDER [REGISTRY]``: a real worker that counts."""

import sys
from pathlib import Path

from schemas.topics import Topic
from schemas.wire import SINGLE_OBJECT
from streams.log.kafka import KafkaEventLog
from streams.log.registry import registered
from streams.runtime.faust_driver import FaustDriver
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.redis_store import RedisStateStore
from tests.builders.counting import COUNTING, PARTITIONS

TOPICS = [Topic(name, partitions, ()) for name, partitions in PARTITIONS.items()]


def main(servers: str, namespace: str, redis_port: str, folder: str, registry: str = "") -> None:
    framing = registered(registry) if registry else SINGLE_OBJECT
    log = KafkaEventLog([servers], TOPICS, namespace=namespace, chained=False, framing=framing)
    store = RedisStateStore(f"redis://127.0.0.1:{redis_port}/0")
    FaustDriver(
        lambda: [PartitionFold(COUNTING, log, store)],
        log,
        [servers],
        Path(folder),
        namespace=namespace,
        framing=framing,
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])

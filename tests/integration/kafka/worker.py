"""``python -m tests.integration.kafka.worker CREW SERVERS NAMESPACE REDIS_PORT FOLDER``: a real worker process."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from streams.log.kafka import KafkaEventLog
from streams.runtime.faust_driver import FaustDriver, Spans
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.redis_store import RedisStateStore
from tests.integration.kafka.crews import CREWS


async def hang(*_: Any, **__: Any) -> None:
    """Be a transport that waits for something that never comes."""
    await asyncio.Event().wait()


def main(crew: str, servers: str, namespace: str, redis_port: str, folder: str) -> None:
    chosen = CREWS[crew]
    log = KafkaEventLog([servers], chosen.topics, namespace=namespace, chained=False)
    store = RedisStateStore(f"redis://127.0.0.1:{redis_port}/0")
    driver = FaustDriver(
        lambda: [PartitionFold(processor, log, store) for processor in chosen.processors],
        log,
        [servers],
        Path(folder),
        namespace=namespace,
        spans=Spans(timedelta(seconds=chosen.session), timedelta(seconds=chosen.stop)),
    )
    if chosen.hangs:
        driver.app._producer_flush = hang  # type: ignore[method-assign]
    driver.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

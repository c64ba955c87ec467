"""One real Kafka broker for a whole test run, started when the first test asks for it."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from deploy.errors import PartUnavailableError
from deploy.kafka.broker import Broker
from tests.parts.need import unavailable


@cache
def shared_broker() -> Broker:
    """Return the running broker; without Java and Maven the test that asks is skipped, in CI it fails."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-kafka-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    broker = new_broker(folder).start()
    atexit.register(broker.kill)  # runs before the cleanup; nobody reads its data again
    return broker


def new_broker(folder: Path) -> Broker:
    """Return a broker of the test's own, not yet started."""
    try:
        return Broker(folder)
    except PartUnavailableError as error:
        unavailable(f"Apache Kafka: {error}")

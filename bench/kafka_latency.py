"""From an alert to its first notification on the distributed engine: what ``latency`` measures, of a running fleet.

Kafka (one node, a sync per batch), Redis (a sync per commit), api, streams and the sender of webhooks share the machine
with whoever posts and receives.
"""

import asyncio
from collections.abc import Iterator

import yaml

from bench.latency import RATE, page, probed
from bench.measure import Metric, at_most, noted, percentile
from bench.programs import fleet, folder

ROLES = (["streams"], ["delivery", "webhook"], ["api"])


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place, fleet(place, yaml.safe_dump(page()), ROLES) as port:
        took = asyncio.run(probed(port))
    of = f"{RATE} alerts/s to the first notification"
    yield noted("kafka_latency", f"{of}, p50", percentile(took, 0.5), "ms")
    yield at_most("kafka_latency", f"{of}, p99", percentile(took, 0.99), "ms", 300)
    yield noted("kafka_latency", f"{of}, worst", max(took), "ms")

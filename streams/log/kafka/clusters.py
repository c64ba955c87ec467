"""What a cluster has, asked without changing anything in it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from kafka import KafkaAdminClient

from streams.log.kafka.clients import settings
from streams.log.kafka.errors import translated


def topics_in(servers: Sequence[str], namespace: str, timeout: timedelta = timedelta(seconds=10)) -> frozenset[str]:
    """Return the names of the cluster's topics that begin with ``namespace``, without it; raises LogUnavailableError."""
    with translated():
        admin: Any = KafkaAdminClient(**settings(servers, timeout))
        try:
            names = admin.list_topics()
        finally:
            admin.close()
    return frozenset(name.removeprefix(namespace) for name in names if name.startswith(namespace))

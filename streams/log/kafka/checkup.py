"""Looks at a cluster for what would lose events or stop workers; it changes nothing but a topic that it makes for a moment."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from schemas.topics import TOPICS, Topic
from streams.log.kafka.clients import settings
from streams.log.kafka.errors import translated
from streams.log.kafka.topics import settings_of

_WATCHED = ("cleanup.policy", "retention.ms", "retention.bytes", "min.insync.replicas", "max.message.bytes")
"""Settings of a topic on which it depends whether the log keeps what it acknowledged."""
_CLOCK_TOPIC = "tocsin.doctor"


class KafkaCheckup:
    """Asks a cluster. All methods block and raise LogUnavailableError where it cannot be reached within ``timeout``."""

    def __init__(
        self,
        servers: Sequence[str],
        *,
        namespace: str = "",
        replication: int = 1,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._namespace = namespace
        self._replication = replication
        self._common = settings(servers, timeout)

    def brokers(self) -> int:
        """Return how many brokers answer for the cluster."""
        with translated(), closing(KafkaAdminClient(**self._common)) as admin:
            return len(admin.describe_cluster()["brokers"])

    def topics(self) -> list[str]:
        """Return what is wrong with the topics, one sentence each; topics that do not exist yet are made by a worker."""
        with translated(), closing(KafkaAdminClient(**self._common)) as admin:
            there = set(admin.list_topics())
            known = {self._namespace + topic.name: topic for topic in TOPICS if self._namespace + topic.name in there}
            if not known:
                return []
            found = {topic["name"]: topic["partitions"] for topic in admin.describe_topics(list(known))}
            resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=None) for name in known]
            answer = admin.describe_configs(resources, config_filter="all")
            configs = next(iter(answer.values()))
        return [
            problem
            for name, topic in known.items()
            for problem in self._of_topic(name, topic, found[name], _values(configs[name]))
        ]

    def _of_topic(
        self, name: str, topic: Topic, partitions: Sequence[Mapping[str, Any]], configs: Mapping[str, str]
    ) -> list[str]:
        found = []
        if len(partitions) != topic.partitions:
            found.append(f"{name} has {len(partitions)} partitions; it must have {topic.partitions}")
        copies = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
        if copies < self._replication:
            found.append(f"{name} lies on {copies} brokers; engine.replication is {self._replication}")
        lagging = sum(len(one["isr_nodes"]) < len(one["replica_nodes"]) for one in partitions)
        if lagging:
            found.append(f"{name} has {lagging} partitions with replicas that are not in sync")
        wanted = settings_of(topic, self._replication)["configs"]
        found += [
            f"{name} has {setting} {configs[setting]}; it must be {wanted[setting]}"
            for setting in _WATCHED
            if configs.get(setting, wanted[setting]) != wanted[setting]
        ]
        return found

    def clock_ahead(self) -> float:
        """Return by how many seconds a broker's clock is ahead of ours, about; negative where it is behind.

        There is no way to ask: a topic of a moment lets the broker stamp a record.
        """
        name = f"{self._namespace}{_CLOCK_TOPIC}.{uuid4().hex[:8]}"
        configs = {"message.timestamp.type": "LogAppendTime", "retention.ms": "60000"}
        with translated(), closing(KafkaAdminClient(**self._common)) as admin:
            admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
            try:
                admin.wait_for_topics([name], timeout_ms=self._common["request_timeout_ms"])
                return self._stamped(name)
            finally:
                with suppress(KafkaError):  # it empties itself
                    admin.delete_topics([name])

    def _stamped(self, name: str) -> float:
        with closing(KafkaProducer(**self._common, acks="all", metrics_enabled=False)) as producer:
            seconds = self._common["request_timeout_ms"] / 1000
            producer.send(name, b"warm").get(seconds)  # the first one waits for metadata
            before = time.time()
            stamped: float = producer.send(name, b"now").get(seconds).timestamp / 1000
            return stamped - (before + time.time()) / 2


def _values(configs: Mapping[str, Any]) -> dict[str, str]:
    return {name: each["value"] if isinstance(each, Mapping) else str(each) for name, each in configs.items()}

"""Makes the topics of the log as they are declared, and refuses a cluster that has them otherwise."""

from collections.abc import Mapping
from typing import Any

from kafka.errors import NoError, TopicAlreadyExistsError, for_code

from schemas.topics import Topic
from streams.log.port import LogCorruptError

MAX_RECORD_BYTES = 8 * 1024 * 1024
"""A dead letter holds a body of up to 5 MiB; Kafka's default of 1 MiB would refuse it."""
_DAY_MS = 86_400_000
_FOR_EVER = "-1"


def declare(admin: Any, topics: Mapping[str, Topic], replication: int, timeout_ms: int) -> None:
    """Create those of ``topics``, by their names in the cluster, that do not exist.

    Raises LogCorruptError where one exists with another number of partitions, and the library's errors.
    """
    wanted = {name: settings_of(topic, replication) for name, topic in topics.items()}
    for topic in admin.create_topics(wanted, raise_errors=False)["topics"]:
        error = for_code(topic["error_code"])
        if error not in (NoError, TopicAlreadyExistsError):
            raise error(topic["error_message"])
    admin.wait_for_topics(list(wanted), timeout_ms=timeout_ms)
    for topic in admin.describe_topics(list(wanted)):
        found, declared = len(topic["partitions"]), wanted[topic["name"]]["num_partitions"]
        if found != declared:
            raise LogCorruptError(f"topic {topic['name']} has {found} partitions and {declared} are declared")


def settings_of(topic: Topic, replication: int) -> dict[str, Any]:
    """Return how a topic is made: partitions, replicas and the settings on which it depends that nothing is lost."""
    configs = {
        "cleanup.policy": "delete",
        "retention.ms": _FOR_EVER if topic.retention_days is None else str(topic.retention_days * _DAY_MS),
        "retention.bytes": _FOR_EVER,
        "max.message.bytes": str(MAX_RECORD_BYTES),
        "min.insync.replicas": str(max(1, replication - 1)),
        "unclean.leader.election.enable": "false",
        # Since Kafka 3.6 a time more than an hour ahead is refused, and a sender's clock is not ours.
        "message.timestamp.after.max.ms": str(2**63 - 1),
    }
    if replication == 1:
        # An acknowledgement then means no more than that it reached one machine's memory: sync, as the port promises.
        configs["flush.messages"] = "1"
    return {"num_partitions": topic.partitions, "replication_factor": replication, "configs": configs}

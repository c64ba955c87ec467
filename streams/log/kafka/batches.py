"""Rows of the log as Kafka's record batches and produce requests, numbered as its idempotence asks for; it sends nothing.

Encoded by kafka-python's protocol classes. Numbering: KIP-98; a batch that is sent again under its numbers is stored once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka.protocol.producer import ProduceRequest
from kafka.record.memory_records import MemoryRecordsBuilder

Place = tuple[str, int]
"""A topic as the cluster names it, and a partition."""

_MAGIC = 2
_UNCOMPRESSED = 0
_ALL_REPLICAS = -1
_VERSION = 7
"""Of a produce request: a broker of 2.1 knows it, and none drops it soon; what came later is of no use to us."""
_MOST_BYTES = 1024 * 1024
"""Of one batch. A record that is larger travels alone."""
_LAST_SEQUENCE = 2**31 - 1


class Row(NamedTuple):
    """One record as Kafka keeps it; ``at`` in milliseconds."""

    place: Place
    at: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Producer(NamedTuple):
    """What a broker knows a producer by."""

    id: int
    epoch: int


class Batch(NamedTuple):
    """So many rows of one partition, as bytes."""

    rows: int
    content: bytearray


def batch_of(rows: Sequence[Row], producer: Producer, sequence: int) -> Batch:
    """Return as many of one partition's rows, from the first on, as fit into a batch: at least one."""
    builder = MemoryRecordsBuilder(
        _MAGIC, _UNCOMPRESSED, _MOST_BYTES,
        producer_id=producer.id, producer_epoch=producer.epoch, base_sequence=sequence,
    )  # fmt: skip
    fitting = _fitting(builder, rows)
    builder.close()
    return Batch(fitting, builder.buffer())


def _fitting(builder: MemoryRecordsBuilder, rows: Sequence[Row]) -> int:
    for count, row in enumerate(rows):
        if builder.append(row.at, row.key, row.value, row.headers) is None:
            return count
    return len(rows)


def sequence_after(sequence: int, rows: int) -> int:
    """Return the number of the row behind so many; they begin anew at 0, as the broker expects."""
    return (sequence + rows) % (_LAST_SEQUENCE + 1)


def request_for(batches: Mapping[Place, Batch], timeout_ms: int) -> Any:
    """Return the request that appends to partitions of one broker; all their replicas have it when it is answered."""
    topic_data = ProduceRequest.TopicProduceData
    topics: dict[str, list[Any]] = {}
    for (topic, partition), batch in batches.items():
        data = topic_data.PartitionProduceData(index=partition, records=batch.content)
        topics.setdefault(topic, []).append(data)
    return ProduceRequest(
        transactional_id=None,
        acks=_ALL_REPLICAS,
        timeout_ms=timeout_ms,
        topic_data=[topic_data(name=topic, partition_data=partitions) for topic, partitions in topics.items()],
        version=_VERSION,
    )


def by_place(rows: Iterable[tuple[Any, Row]]) -> dict[Place, list[tuple[Any, Row]]]:
    """Return rows, each with whatever belongs to it, by where they go, in their order."""
    found: dict[Place, list[tuple[Any, Row]]] = {}
    for pair in rows:
        found.setdefault(pair[1].place, []).append(pair)
    return found

"""How far partitions reach, asked of their leaders; planners ask it before each batch of notices."""

from collections.abc import Iterable, Iterator, Mapping
from threading import Event as Flag
from threading import Lock
from time import monotonic
from typing import Any

from kafka.protocol.consumer import ListOffsetsRequest

from streams.log.kafka.batches import Place
from streams.log.kafka.brokers import Answer, Brokers, Question
from streams.log.kafka.leaders import Leaders

_VERSION = 2
_NO_REPLICA = -1
_READ_UNCOMMITTED = 0
_LATEST = -1
"""Instead of a time: the high watermark. What lies below is on all in-sync replicas."""


class Ends:
    """The ends of partitions. For any number of threads."""

    def __init__(self, leaders: Leaders, timeout: float) -> None:
        self._closed = Flag()
        self._brokers = Brokers(leaders, self._closed)
        self._timeout = timeout
        self._turn = Lock()

    def of(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset behind the last row of each; raises OSError and the library's errors."""
        with self._turn:
            wanted = dict.fromkeys(places)
            return self._brokers.offsets(_QUESTION, wanted, monotonic() + self._timeout) if wanted else {}

    def close(self) -> None:
        """Ask nothing more."""
        self._closed.set()
        with self._turn:
            self._brokers.forget()


def _request(places: Mapping[Place, Any], _timeout_ms: int) -> Any:
    listed = ListOffsetsRequest.ListOffsetsTopic
    topics: dict[str, list[Any]] = {}
    for topic, partition in places:
        asked = listed.ListOffsetsPartition(partition_index=partition, timestamp=_LATEST)
        topics.setdefault(topic, []).append(asked)
    return ListOffsetsRequest(
        replica_id=_NO_REPLICA,
        isolation_level=_READ_UNCOMMITTED,
        topics=[listed(name=topic, partitions=partitions) for topic, partitions in topics.items()],
        version=_VERSION,
    )


def _answers(response: Any) -> Iterator[Answer]:
    for topic in response.topics:
        for partition in topic.partitions:
            yield Answer((topic.name, partition.partition_index), partition.error_code, partition.offset)


_QUESTION = Question(_request, _answers)

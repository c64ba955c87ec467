"""Follows partitions of Kafka without a consumer group, for processes that each want to see everything."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition

from schemas.codec import MalformedRecordError
from streams.log.kafka.errors import translated
from streams.log.message import record_of_message
from streams.log.port import Positions, Stored, TopicPartition
from streams.log.tail import Tailed

_log = logging.getLogger(__name__)
_MOST_RECORDS = 5_000
"""For one poll: as many as usually lie ready, for while some of a partition wait here the others are asked for alone,
and until that question is answered the partition is not asked for again."""
_WAIT_MS = 100
"""How long the broker holds an answer in which there is nothing yet: bounds how long that can take."""


class KafkaTail:
    """A ``Tail`` of Kafka: a consumer of its own, assigned to its partitions by hand."""

    def __init__(self, settings: Mapping[str, Any], places: Mapping[KafkaPartition, TopicPartition], at: Positions) -> None:
        self._places = places
        with translated():
            self._consumer = KafkaConsumer(
                **settings,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=_WAIT_MS,
                metrics_enabled=False,
            )
            self._consumer.assign(list(places))
            for partition, place in places.items():
                self._consumer.seek(partition, at[place])

    def poll(self, timeout: float) -> list[Tailed]:
        with translated():
            found = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=_MOST_RECORDS)
        return [_tailed(self._places[partition], messages) for partition, messages in found.items()]

    def close(self) -> None:
        self._consumer.close(autocommit=False)


def _tailed(place: TopicPartition, messages: Sequence[Any]) -> Tailed:
    return Tailed(place, [stored for each in messages if (stored := _stored(place, each))], messages[-1].offset + 1)


def _stored(place: TopicPartition, message: Any) -> Stored | None:
    try:
        record = record_of_message(place[0], message.key, message.headers, message.value)
    except MalformedRecordError as error:
        _log.warning("%s[%s]@%s is passed over: %s", *place, message.offset, error)
        return None
    return Stored(record, place[1], message.offset, b"")

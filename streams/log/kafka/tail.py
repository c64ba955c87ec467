"""Follows partitions of Kafka without a consumer group, for processes that each want to see everything."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition

from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.wire import SINGLE_OBJECT, Framing
from streams.log.kafka.errors import translated
from streams.log.message import record_of_message, type_of
from streams.log.port import LogCorruptError, LogError, Positions, Stored, TopicPartition
from streams.log.tail import Tailed

_log = logging.getLogger(__name__)
_MOST_RECORDS = 5_000
"""For one poll: as many as usually lie ready, for while some of a partition wait here the others are asked for alone,
and until that question is answered the partition is not asked for again."""
_WAIT_MS = 100
"""How long the broker holds an answer that is not worth its while yet: bounds how long that can take."""
_WORTH_BYTES = 64 * 1024
"""Answered at each record, a client would ask for all other partitions again at once: ten times the questions."""


class KafkaTail:
    """A ``Tail`` of Kafka: a consumer of its own, assigned to its partitions by hand."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        places: Mapping[KafkaPartition, TopicPartition],
        at: Positions,
        types: frozenset[str] | None = None,
        framing: Framing = SINGLE_OBJECT,
    ) -> None:
        self._places = places
        self._types = types
        self._framing = framing
        with translated():
            self._consumer = KafkaConsumer(
                **settings,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=_WAIT_MS,
                fetch_min_bytes=_WORTH_BYTES,
                metrics_enabled=False,
            )
            self._consumer.assign(list(places))
            for partition, place in places.items():
                self._consumer.seek(partition, at[place])

    def poll(self, timeout: float) -> list[Tailed]:
        with translated():
            found = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=_MOST_RECORDS)
        try:
            return [self._tailed(self._places[partition], messages) for partition, messages in found.items()]
        except LogError:
            # A registry had to be asked what a message's schema is, and it did not say: the next call reads it again.
            for partition, messages in found.items():
                self._consumer.seek(partition, messages[0].offset)
            raise

    def close(self) -> None:
        self._consumer.close(autocommit=False)

    def _tailed(self, place: TopicPartition, messages: Sequence[Any]) -> Tailed:
        wanted = messages if self._types is None else [each for each in messages if self._wants(each)]
        found = [stored for each in wanted if (stored := self._stored(place, each))]
        return Tailed(place, found, messages[-1].offset + 1)

    def _wants(self, message: Any) -> bool:
        return self._types is None or type_of(message.headers) in self._types

    def _stored(self, place: TopicPartition, message: Any) -> Stored | None:
        try:
            record = record_of_message(place[0], message.key, message.headers, message.value, self._framing)
        except MalformedRecordError as error:
            _log.warning("%s[%s]@%s is passed over: %s", *place, message.offset, error)
            return None
        except UnknownSchemaError as error:
            raise LogCorruptError(f"{place[0]}[{place[1]}]@{message.offset} cannot be read: {error}") from error
        return Stored(record, place[1], message.offset, b"")

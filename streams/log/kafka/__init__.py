"""The log on Apache Kafka: the only package that imports kafka-python. It knows brokers and offsets, no events."""

from streams.log.kafka.engine import KafkaEventLog
from streams.log.kafka.errors import translated
from streams.log.kafka.topics import MAX_RECORD_BYTES

__all__ = ["MAX_RECORD_BYTES", "KafkaEventLog", "translated"]

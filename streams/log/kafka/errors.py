"""Turns whatever kafka-python raises into the port's errors; it repeats nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import CorruptRecordError, KafkaError, LogTruncationError

from streams.log.port import LogCorruptError, LogUnavailableError


@contextmanager
def translated() -> Iterator[None]:
    """Raise LogCorruptError or LogUnavailableError for what the library raises within."""
    try:
        yield
    except (CorruptRecordError, LogTruncationError) as error:
        raise LogCorruptError(str(error)) from error
    except (KafkaError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError is its event loop when closed under a caller, ValueError its producer without fresh metadata.
        raise LogUnavailableError(f"Kafka: {error!r}") from error

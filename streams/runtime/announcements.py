"""Tells the workers of the streams what other processes appended: fetched, it would come a quarter of a second later.

What is announced lies on the log already, and is fetched all the same. So nothing depends on an announcement: one that is
lost, late or doubled costs no more than time (see ``arrivals``).
"""

from collections.abc import Sequence
from typing import Protocol

from streams.log.port import Appended, Record, TopicPartition
from streams.runtime.kafka_publisher import Appends
from streams.runtime.partition_steps import Message, message_at

Placed = tuple[TopicPartition, Message]
"""A message, and the place of the log where it lies."""


class Announcer(Protocol):
    """Tells whoever listens what was appended. Never raises: who did not hear of it fetches it."""

    def announce(self, placed: Sequence[Placed]) -> None:
        """Tell of records that lie on the log; blocks for a round trip at the most."""


class AnnouncingLog:
    """A log of which every append is announced, as soon as it is acknowledged."""

    def __init__(self, log: Appends, announcer: Announcer) -> None:
        self._log = log
        self._announcer = announcer

    def append(self, records: Sequence[Record]) -> list[Appended]:
        """Append as the log does; raises what it raises."""
        appended = self._log.append(records)
        self._announcer.announce(placed(records, appended))
        return appended


def placed(records: Sequence[Record], appended: Sequence[Appended]) -> list[Placed]:
    """Return records that were appended as a transport would bring them."""
    pairs = zip(records, appended, strict=True)
    return [((record.topic, at.partition), message_at(at.offset, record)) for record, at in pairs]

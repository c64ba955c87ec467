"""How a subscriber stood at each time, folded anew off their own events on the log. It keeps nothing and decides nothing.

The subscribers' table holds only how they stand now. All events of one subscriber lie under one key, so in one partition,
which is read from its beginning: a question of a person, seconds long on a log of millions of subscribers.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from consumers.delivery.subscribers import PROCESSOR, SUBSCRIBERS, Subscriber, step
from schemas.events import Micros
from schemas.topics import SUBSCRIPTIONS, partition_of
from streams.domain.processor import Output
from streams.domain.state import memory_state
from streams.log.port import EventLog, event_of

_READ = 1_000


class Past(NamedTuple):
    """How a subscriber stood from ``at`` (when the event was recorded) until the next of these."""

    at: Micros
    known: Subscriber


History: TypeAlias = Callable[[str, str], Sequence[Past]]
"""Given a page and a subscriber's id, how they stood, oldest first; empty for a stranger. Blocks; raises LogError."""


def history(log: EventLog, page: str, subscriber: str) -> list[Past]:
    """Return how a subscriber stood, oldest first; empty for a stranger. Raises LogError, and the errors of the codec."""
    key = f"{page}/{subscriber}"
    partition = partition_of(key, log.partitions(SUBSCRIPTIONS.name))
    state = memory_state(PROCESSOR.tables)
    found: list[Past] = []
    start = 0
    while records := log.read(SUBSCRIPTIONS.name, partition, start, _READ):
        for record in (each.record for each in records):
            if record.key != key or record.type not in PROCESSOR.types:
                continue
            event = event_of(record)
            step(state, event, Output(event))
            known: Subscriber | None = state[SUBSCRIBERS].get(page, subscriber)
            if known is not None and (not found or known != found[-1].known):
                found.append(Past(event.recorded_at, known))
        start = records[-1].offset + 1
    return found

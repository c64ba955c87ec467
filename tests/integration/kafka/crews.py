"""What the tests' workers fold: which processors in which order, over which topics."""

import os
from dataclasses import dataclass

from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from consumers.projection.board import STATUS
from consumers.reliability.uptime import RELIABILITY
from schemas.events import AnyEvent
from schemas.topics import TOPICS, Topic
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec
from tests.builders import counting

SEEN = "seen"


def _witness(state: State, event: AnyEvent, out: Output) -> None:
    # A fold that is not pure, which is the point: it tells which process had the partition.
    state[SEEN].put(event.page, str(os.getpid()), 1)


def witness(topic: str) -> Processor:
    """Return a processor of one topic that notes the process that it runs in."""
    return Processor(f"witness-{topic}", (topic,), frozenset({"AlertRefreshed"}), (TableSpec(SEEN, int),), _witness)


@dataclass(frozen=True)
class Crew:
    """``session`` is a worker's, in seconds, and ``stop`` how long it may take to stop; one that ``hangs`` takes for ever."""

    topics: tuple[Topic, ...]
    processors: tuple[Processor, ...]
    session: float = 3.0
    stop: float = 25.0
    hangs: bool = False


COUNTED = tuple(Topic(name, partitions, ()) for name, partitions in counting.PARTITIONS.items())
CREWS = {
    "counting": Crew(COUNTED, (counting.COUNTING,)),
    "real": Crew(TOPICS, (EPISODES, PAGES, STATUS, RELIABILITY, SUBSCRIBERS)),
    "witnesses": Crew(TOPICS, tuple(witness(topic.name) for topic in TOPICS)),
    # So long that a test would give up before a broker does.
    "patient": Crew(COUNTED, (counting.COUNTING,), 85.0),
    "hanging": Crew(COUNTED, (counting.COUNTING,), stop=8.0, hangs=True),
}

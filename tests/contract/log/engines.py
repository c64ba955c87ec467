"""The engines that the log's contract suite runs over; adding one is one line of ``ENGINES``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas.topics import Topic
from streams.log.memory import MemoryEventLog
from streams.log.port import EventLog
from streams.log.sqlite import SqliteEventLog
from tests.parts.kafka import shared_broker

PARTITIONS = {"tocsin.alerts": 3, "tocsin.pages": 2}


@dataclass(frozen=True)
class Site:
    """Where one test's log lives: a folder, and a name that no other test has."""

    folder: Path
    name: str


@dataclass(frozen=True)
class Engine:
    """``open`` opens the log of a site, new or as it was left. ``gaps`` says which tests it cannot pass, and why."""

    name: str
    open: Callable[[Site], EventLog]
    durable: bool = True
    gaps: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[pytest.MarkDecorator, ...] = ()


def _memory(site: Site) -> EventLog:
    return MemoryEventLog(PARTITIONS)


def _sqlite(site: Site) -> EventLog:
    return SqliteEventLog(site.folder, PARTITIONS)


def _kafka(site: Site) -> EventLog:
    from streams.log.kafka import KafkaEventLog

    topics = [Topic(name, partitions, ()) for name, partitions in PARTITIONS.items()]
    return KafkaEventLog([shared_broker().servers], topics, namespace=f"{site.name}.")


_NO_LOOKUP = "Kafka does not look up ids: every consumer accepts an event twice"
ENGINES = (
    Engine(
        "memory", _memory, durable=False, gaps={"test_reopening_keeps_everything": "it lives and dies with the process"}
    ),
    Engine("sqlite", _sqlite),
    Engine(
        "kafka",
        _kafka,
        gaps={
            "test_a_known_id_is_a_duplicate_and_writes_nothing": _NO_LOOKUP,
            "test_a_duplicate_within_one_append": _NO_LOOKUP,
        },
        marks=(pytest.mark.kafka,),
    ),
)

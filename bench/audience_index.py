"""The audience index over a million subscribers, measured in a process of its own: ``python -m bench.audience_index``.

It prints one JSON line, a ``Figures``; a fresh process is what makes the difference of its memory mean something.
"""

import gc
import resource
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench import population
from bench.measure import percentile
from bench.population import PAGE
from consumers.delivery.audience import AudienceIndex, Question, question

SUBSCRIBERS = 1_000_000
QUESTIONS = 1_000
TO_IDS = 100


class Figures(msgspec.Struct, frozen=True):
    """What was measured; times in milliseconds, ``audience`` is the mean number of those who are told."""

    bytes_each: float
    built_each_second: float
    numbers_p50: float
    numbers_p99: float
    match_p99: float
    audience: float


def measure() -> Figures:
    """Build the index and ask it."""
    index, bytes_each, seconds = _build()
    asked = _questions()
    found = [len(index.numbers(PAGE, each)) for each in asked[:TO_IDS]]
    numbers = [_milliseconds(index.numbers, each) for each in asked]
    ids = [_milliseconds(index.match, each) for each in asked[:TO_IDS]]
    return Figures(
        bytes_each=bytes_each,
        built_each_second=SUBSCRIBERS / seconds,
        numbers_p50=percentile(numbers, 0.5),
        numbers_p99=percentile(numbers, 0.99),
        match_p99=percentile(ids, 0.99),
        audience=sum(found) / len(found),
    )


def _build() -> tuple[AudienceIndex, float, float]:
    """Return the index, its bytes for each subscriber, and the seconds that it alone took."""
    before, seconds, index = _memory(), 0.0, AudienceIndex()
    for subscriber, wanted in population.subscribers(SUBSCRIBERS):
        began = time.perf_counter()
        index.set(PAGE, subscriber, "email", wanted)
        seconds += time.perf_counter() - began
    gc.collect()
    return index, (_memory() - before) / SUBSCRIBERS, seconds


def _questions() -> list[Question]:
    random = Random(2)
    notices = [population.notice("update", "subject", population.changes(random), 0) for _ in range(QUESTIONS)]
    return [question(each, population.lineage) for each in notices]


def _milliseconds(ask: Callable[[str, Question], Any], asked: Question) -> float:
    began = time.perf_counter()
    ask(PAGE, asked)
    return (time.perf_counter() - began) * 1_000


def _memory() -> int:
    """Return this process's resident bytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(msgspec.json.encode(measure()).decode())

"""From the start of ``tocsin up`` on a long log to the first answer of the read API."""

import time
from collections.abc import Iterator

from bench import history
from bench.measure import Metric, at_most
from bench.programs import folder, tocsin

EVENTS = 1_000_000


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place:
        history.make(place / "data", EVENTS)
        start = time.perf_counter()
        with tocsin(place, ready="/api/v2/summary.json"):
            spent = time.perf_counter() - start
        yield at_most("coldstart", f"first answer on a log of {EVENTS:,} events", spent, "s", 3)

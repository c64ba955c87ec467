"""What the metrics ask of the embedded engine when Prometheus comes, because nobody need count it before."""

from typing import Protocol

from consumers.reliability.past import Query
from consumers.web.readiness import Lagging
from streams.runtime.clock import Clock
from streams.runtime.metrics import Metrics

_WAITING = "select channel, count(*), min(due) from ledger where due is not null group by channel"
_SECOND = 1_000_000


class Writer(Protocol):
    """The part of the log that knows how much there is."""

    @property
    def last(self) -> int:
        """The offset of the newest record."""

    @property
    def waiting(self) -> int:
        """Jobs that wait for the writer."""


def sample_engine(metrics: Metrics, log: Writer, driver: Lagging) -> None:
    """Have the metrics ask how much is appended, waits for the writer, and is not folded yet."""
    counted = log.last

    def sample() -> None:
        nonlocal counted
        last = max(log.last, counted)
        metrics.appended.inc(last - counted)
        counted = last
        metrics.log_waiting.set(log.waiting)
        for stage, lag in driver.lag().items():
            metrics.stage_lag.labels(stage).set(lag)

    metrics.sample(sample)


def sample_ledger(metrics: Metrics, query: Query, clock: Clock) -> None:
    """Have the metrics ask the ledger what waits to be sent, and for how long."""

    def sample() -> None:
        rows = query(_WAITING, ())
        metrics.unsent.clear()
        for channel, count, _ in rows:
            metrics.unsent.labels(channel).set(count)
        oldest = min((due for _, _, due in rows), default=None)
        metrics.oldest_unsent.set(0 if oldest is None else max(0, clock() - oldest) / _SECOND)

    metrics.sample(sample)

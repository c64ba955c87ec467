"""Whether the embedded engine does its work: the log takes records, and no stage is far behind it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import Protocol

from streams.log.port import LogUnavailableError
from streams.log.sqlite import SqliteEventLog

MOST_LAG = 10_000
"""Records that a stage may lie behind before this process calls itself unready."""
PATIENCE = timedelta(seconds=2)


class Lagging(Protocol):
    """The part of the driver that says how far behind its stages are."""

    def lag(self) -> Mapping[str, int]:
        """Return for each stage how many records of the log it has not passed."""


class EmbeddedReadiness:
    """Implements ``ports.Readiness``: takes part in a transaction to see whether there are any."""

    def __init__(self, log: SqliteEventLog, driver: Lagging, *, most_lag: int = MOST_LAG) -> None:
        self._log = log
        self._driver = driver
        self._most_lag = most_lag

    def problems(self) -> Sequence[str]:
        behind = [
            f"{stage} is {lag} records behind" for stage, lag in self._driver.lag().items() if lag > self._most_lag
        ]
        return [*self._unwritable(), *behind]

    def _unwritable(self) -> list[str]:
        try:
            self._log.submit(lambda _: None).result(PATIENCE.total_seconds())
        except LogUnavailableError as error:
            return [f"the log cannot be written: {error}"]
        except FutureTimeoutError:
            return ["the log has not answered in time"]
        return []

"""Whether a process of the fleet does its work: asked in the background, so that a probe is answered at once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from time import monotonic

from streams.log.port import LogError
from streams.runtime.backlog import Behind, worst
from streams.runtime.clock import Clock
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.metrics import Metrics
from streams.runtime.state_store import StoreUnavailableError

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 2.0
_SILENCE_SECONDS = 15.0
PATIENCE_SECONDS = 60
"""The age of an event that somebody should have folded from which on a process calls itself unready."""
_SECOND = 1_000_000
Look = Callable[[], Mapping[str, Behind]]
"""Asks log and store what is yet to be done; may block, and raise LogError and StoreUnavailableError."""


class Pulse:
    """Implements ``ports.Readiness``: looks again and again, and says what the last look found.

    ``look`` proves by answering that Kafka and Redis can be reached. ``further`` may name other problems; it must not
    block.
    """

    def __init__(self, look: Look, clock: Clock, further: Callable[[], Sequence[str]] = list) -> None:
        self._look = look
        self._clock = clock
        self._further = further
        self._found: list[str] = ["nothing was looked at yet"]
        self._seen = monotonic()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def problems(self) -> Sequence[str]:
        silence = monotonic() - self._seen
        if silence > _SILENCE_SECONDS:
            return [*self._found, f"Kafka or Redis has not answered for {silence:.0f} s", *self._further()]
        return [*self._found, *self._further()]

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._found = self._problems()
            self._seen = monotonic()
            self._stopped.wait(_PAUSE_SECONDS)

    def _problems(self) -> list[str]:
        try:
            found = worst(self._look())
        except (LogError, StoreUnavailableError) as error:
            return [str(error)]
        except Exception as error:  # whatever it is, a probe that is silent for it would call the process well
            _log.exception("the process cannot tell whether it does its work")
            return [f"it cannot be told whether the work is done: {type(error).__name__}"]
        if found is None:
            return []
        name, since = found
        age = max(0, self._clock() - since) / _SECOND
        return [f"{name} has not folded an event that is {age:.0f} s old"] if age > PATIENCE_SECONDS else []


def sample_backlog(metrics: Metrics, look: Look, clock: Clock) -> None:
    """Have the metrics ask how far everybody is behind, and the age of the oldest event that waits."""

    def sample() -> None:
        try:
            behind = look()
        except (LogError, StoreUnavailableError) as error:
            _log.warning("the backlog is not known: %s", error)
            return
        for name, each in behind.items():
            metrics.stage_lag.labels(name).set(each.records)
        found = worst(behind)
        metrics.oldest_unfolded.set(0 if found is None else max(0, clock() - found[1]) / _SECOND)

    metrics.sample(sample)


def sample_publisher(metrics: Metrics, publisher: KafkaPublisher) -> None:
    """Have the metrics ask how much was appended, and how much waits for its turn."""
    counted = 0

    def sample() -> None:
        nonlocal counted
        appended = publisher.appended
        metrics.appended.inc(appended - counted)
        counted = appended
        metrics.log_waiting.set(publisher.waiting)

    metrics.sample(sample)

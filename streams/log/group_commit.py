"""One thread that writes: it gathers what callers want done, does it in one transaction, and answers after the sync.

It knows SQLite and threads; it knows nothing of events.
"""

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, Protocol, TypeVar

from streams.log.port import LogUnavailableError

T = TypeVar("T")
_log = logging.getLogger(__name__)
MAX_WAITING = 2_000
"""Jobs that may wait; past that the engine is overloaded and says so at once."""
MAX_BATCH = 256
"""Jobs that share one transaction: bounds how long the first of them waits for the last."""

_MOST_FAILURES = 1_000
"""Times in a row that a failing pump is tried again at once: each time it knows more of what it must pass over."""


class LogOverloadedError(LogUnavailableError):
    """More is waiting to be written than can be promised soon; nothing was taken."""


class Participant(Protocol):
    """What keeps in memory something that the database keeps too, and must follow a rollback."""

    def mark(self) -> Any:
        """Return what ``restore`` needs to come back to this moment."""

    def restore(self, mark: Any) -> None:
        """What was done since ``mark`` is rolled back."""

    def committed(self) -> None:
        """The transaction is durable."""


class Pump(Protocol):
    """Work that is done in every transaction after the jobs, and that may have more to do than fits in one."""

    def work(self, connection: sqlite3.Connection) -> bool:
        """Do a bounded piece within the open transaction; True when more is waiting."""

    def committed(self) -> None:
        """The transaction is durable."""

    def rolled_back(self) -> None:
        """The transaction, with all that ``work`` did, is gone."""

    def sleep(self) -> float | None:
        """Seconds until there is work without anybody's asking; None for never."""


class _Idle:
    """The pump of an engine that has none."""

    def work(self, connection: sqlite3.Connection) -> bool:
        return False

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...

    def sleep(self) -> float | None:
        return None


class GroupCommitWriter:
    """Runs jobs in the order of ``submit``, many to a transaction, each all or nothing by a savepoint of its own."""

    def __init__(self, connection: sqlite3.Connection, participant: Participant) -> None:
        self._connection = connection
        self._participant = participant
        self._pump: Pump = _Idle()
        self._jobs: list[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = []
        self._wake = Condition()
        self._awake = False
        self._closed = False
        self._failures = 0
        self._thread = Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Queue ``job``; the future ends after the sync that covers it, or with what the job raised."""
        future: Future[T] = Future()
        with self._wake:
            if self._closed:
                raise LogUnavailableError("the log is closed")
            if len(self._jobs) >= MAX_WAITING:
                raise LogOverloadedError("too much is waiting to be written")
            self._jobs.append((job, future))
            self._wake.notify()
        return future

    def attach(self, pump: Pump) -> None:
        """Give the writer its pump and wake it."""
        self._pump = pump
        self.nudge()

    def nudge(self) -> None:
        """Run a transaction though no job waits: the pump may have something to do."""
        with self._wake:
            self._awake = True
            self._wake.notify()

    @property
    def waiting(self) -> int:
        """Jobs that nobody has begun."""
        return len(self._jobs)

    def close(self) -> None:
        """Finish what was queued, then stop."""
        with self._wake:
            if self._closed:
                return
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write()
        except Exception:  # nobody else would see it: whoever waits, or comes later, is told that the log is gone
            _log.critical("the log's writer ended", exc_info=True)
            with self._wake:
                self._closed = True
                left, self._jobs = self._jobs, []
            for _, future in left:
                future.set_exception(LogUnavailableError("the log's writer ended"))

    def _write(self) -> None:
        more = False
        while True:
            with self._wake:
                if not (self._jobs or more or self._awake or self._closed):
                    self._wake.wait(self._pump.sleep())
                self._awake = False
                if self._closed and not self._jobs:
                    return
                batch, self._jobs = self._jobs[:MAX_BATCH], self._jobs[MAX_BATCH:]
            more = self._transact([pair for pair in batch if pair[1].set_running_or_notify_cancel()])

    def _transact(self, batch: list[tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]]) -> bool:
        done: list[tuple[Future[Any], Any]] = []
        start = self._participant.mark()
        try:
            self._connection.execute("begin immediate")
            for job, future in batch:
                self._guarded(job, future, done)
            more = self._pumped()
            self._connection.execute("commit")
        except sqlite3.Error as error:
            self._give_up(start, error, [future for _, future in batch])
            return False
        self._participant.committed()
        self._pump.committed()
        for future, result in done:
            future.set_result(result)
        return more

    def _guarded(
        self,
        job: Callable[[sqlite3.Connection], Any],
        future: "Future[Any]",
        done: list[tuple["Future[Any]", Any]],
    ) -> None:
        mark = self._participant.mark()
        self._connection.execute("savepoint job")
        try:
            done.append((future, job(self._connection)))
        except sqlite3.OperationalError:
            raise  # the disk or the file, not this job: the whole transaction fails
        except Exception as error:  # whatever is wrong with one job is told to the one who wanted it
            self._connection.execute("rollback to job")
            self._participant.restore(mark)
            future.set_exception(error)
        self._connection.execute("release job")

    def _pumped(self) -> bool:
        mark = self._participant.mark()
        self._connection.execute("savepoint pump")
        try:
            more = self._pump.work(self._connection)
        except sqlite3.OperationalError:
            raise
        except Exception:  # a fault in a fold must not take back what senders are about to be promised
            _log.exception("the pump failed; what it did is rolled back, what was appended is kept")
            self._connection.execute("rollback to pump")
            self._participant.restore(mark)
            self._pump.rolled_back()
            self._failures += 1
            more = self._failures < _MOST_FAILURES
        else:
            self._failures = 0
        self._connection.execute("release pump")
        return more

    def _give_up(self, start: Any, error: sqlite3.Error, futures: "list[Future[Any]]") -> None:
        _log.error("a transaction failed: %s", error)
        if self._connection.in_transaction:
            self._connection.execute("rollback")
        self._participant.restore(start)
        self._pump.rolled_back()
        for future in futures:
            if not future.done():
                future.set_exception(LogUnavailableError(f"the log could not be written: {error}"))

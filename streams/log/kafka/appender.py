"""Appends to Kafka idempotently, in the threads that append: one of them sends for all that wait.

What comes while a request is under way goes together in the next, so the busier it is the fewer requests it takes. No
batch of a partition is sent before the one in front of it is stored: nothing overtakes.
"""

from collections.abc import Iterator, Sequence
from threading import Event as Flag
from threading import Lock
from time import monotonic
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.protocol.producer import InitProducerIdRequest

from streams.log.kafka.batches import Place, Producer, Row, batch_of, by_place, request_for, sequence_after
from streams.log.kafka.brokers import Answer, Brokers, Question
from streams.log.kafka.leaders import Leaders

_INIT_VERSION = 1
_TRANSACTION_MS = 60_000
"""The field is asked for, and nobody reads it where there is no transaction."""


class _Append:
    """What one caller wants stored, and what became of it."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.offsets = [0] * len(rows)
        self.error: BaseException | None = None
        self.is_done = False


class Appender:
    """Stores rows of any partitions. For any number of threads.

    Whatever a broker may get over is tried again for ``timeout`` seconds a batch. An append that then fails takes all with it
    that waits behind it, so that none of it overtakes what its caller repeats; nobody knows what of it was stored.
    """

    def __init__(self, leaders: Leaders, timeout: float) -> None:
        self._timeout = timeout
        self._turn = Lock()
        self._queue = Lock()
        self._waiting: list[_Append] = []
        self._closed = Flag()
        self._brokers = Brokers(leaders, self._closed)
        self._producer: Producer | None = None
        self._sequences: dict[Place, int] = {}

    def append(self, rows: Sequence[Row]) -> list[int]:
        """Return where they lie, when all replicas have them; raises OSError and the library's errors."""
        mine = _Append(rows)
        with self._queue:
            self._waiting.append(mine)
        with self._turn:
            if not mine.is_done:
                self._send_all()
        if mine.error is not None:
            raise mine.error
        return mine.offsets

    def close(self) -> None:
        """Let what is under way end, and store nothing after that."""
        self._closed.set()
        with self._turn:
            self._brokers.forget()

    # --- in turn ---

    def _send_all(self) -> None:
        taken = self._take()
        try:
            self._store([(append, number) for append in taken for number in range(len(append.rows))])
        except BaseException as error:  # whatever it was: whoever waits is told
            # Under these numbers nothing may be sent any more: nobody knows which of them the broker has seen.
            self._producer = None
            self._brokers.forget()
            taken += self._take()
            for append in taken:
                append.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            for append in taken:
                append.is_done = True

    def _take(self) -> list[_Append]:
        with self._queue:
            taken, self._waiting = self._waiting, []
        return taken

    def _store(self, wanted: Sequence[tuple[_Append, int]]) -> None:
        if self._closed.is_set():
            raise KafkaConnectionError("the producer is closed")
        left = by_place(((append, number), append.rows[number]) for append, number in wanted)
        while left:
            until = monotonic() + self._timeout
            producer = self._known_producer(until)
            batches = {
                place: batch_of([row for _, row in rows], producer, self._sequences.get(place, 0))
                for place, rows in left.items()
            }
            offsets = self._brokers.offsets(_STORE, batches, until)
            for place, batch in batches.items():
                self._sequences[place] = sequence_after(self._sequences.get(place, 0), batch.rows)
                for rank, ((append, number), _) in enumerate(left[place][: batch.rows]):
                    append.offsets[number] = offsets[place] + rank
            left = {place: rest for place, rows in left.items() if (rest := rows[batches[place].rows :])}

    def _known_producer(self, until: float) -> Producer:
        if self._producer is None:
            self._sequences.clear()
            request = InitProducerIdRequest(
                transactional_id=None, transaction_timeout_ms=_TRANSACTION_MS, version=_INIT_VERSION
            )
            answer = self._brokers.anybody(request, until)
            self._producer = Producer(answer.producer_id, answer.producer_epoch)
        return self._producer


def _answers(response: Any) -> Iterator[Answer]:
    for topic in response.responses:
        for partition in topic.partition_responses:
            yield Answer((topic.name, partition.index), partition.error_code, partition.base_offset)


_STORE = Question(request_for, _answers)

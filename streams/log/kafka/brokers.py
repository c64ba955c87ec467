"""Asks the leaders of partitions, in the thread that asks, and again while they move or come back."""

from collections.abc import Callable, Iterable, Mapping
from threading import Event as Flag
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, RetriableError, for_code

from streams.log.kafka.batches import Place
from streams.log.kafka.connections import Links
from streams.log.kafka.leaders import Leaders

T = TypeVar("T")
_PAUSE_SECONDS = 0.1


class Answer(NamedTuple):
    """What a leader says of one partition: an offset, or the code of an error (0: none)."""

    place: Place
    error: int
    offset: int


class Question(NamedTuple):
    """How something is asked of partitions that one broker leads: as which request, and what its response says of each."""

    request: Callable[[Mapping[Place, Any], int], Any]
    """Given what is asked of each, and the milliseconds that there are for it."""
    answers: Callable[[Any], Iterable[Answer]]


class Brokers:
    """Connections to the brokers of a cluster. For one thread at a time."""

    def __init__(self, leaders: Leaders, closed: Flag) -> None:
        self._leaders = leaders
        self._links = Links(leaders.address)
        self._closed = closed

    def offsets(self, question: Question, wanted: Mapping[Place, Any], until: float) -> dict[Place, int]:
        """Return what the partitions' leaders answer, when all have.

        Raises OSError and the library's errors: at once what no repetition mends, the last of the others at ``until``
        (of the monotonic clock), or when this is closed.
        """
        offsets: dict[Place, int] = {}

        def attempt() -> None:
            failed: list[KafkaError] = []
            for answer in self._answers(question, wanted.keys() - offsets.keys(), wanted, until):
                if answer.error:
                    failed.append(for_code(answer.error)(f"{answer.place[0]}[{answer.place[1]}]"))
                else:
                    offsets[answer.place] = answer.offset
            if failed:
                raise min(failed, key=_passes)  # what no repetition mends comes first

        self._patiently(attempt, until)
        return offsets

    def anybody(self, request: Any, until: float) -> Any:
        """Return what some broker answers; raises as ``offsets`` does."""

        def attempt() -> Any:
            node = self._leaders.anybody()
            answer = self._links.ask({node: request}, until)[node]
            if answer.error_code:
                raise for_code(answer.error_code)(type(answer).__name__)
            return answer

        return self._patiently(attempt, until)

    def forget(self) -> None:
        """Close what is open: whoever asks next begins anew."""
        self._links.close()

    def _answers(
        self, question: Question, places: Iterable[Place], wanted: Mapping[Place, Any], until: float
    ) -> list[Answer]:
        by_leader: dict[int, dict[Place, Any]] = {}
        for place in places:
            by_leader.setdefault(self._leaders.leader(place), {})[place] = wanted[place]
        left_ms = max(1, int((until - monotonic()) * 1000))
        requests = {leader: question.request(some, left_ms) for leader, some in by_leader.items()}
        responses = self._links.ask(requests, until).values()
        return [answer for response in responses for answer in question.answers(response)]

    def _patiently(self, attempt: Callable[[], T], until: float) -> T:
        pause = 0.0  # most often it is a connection that the broker closed because nobody used it
        while True:
            try:
                return attempt()
            except (OSError, KafkaError) as error:
                if not _passes(error) or monotonic() >= until or self._closed.wait(pause):
                    raise
                pause = _PAUSE_SECONDS
                self._leaders.forget()


def _passes(error: Exception) -> bool:
    return isinstance(error, (OSError, RetriableError, KafkaConnectionError, KafkaTimeoutError))

"""In which order messages are folded that come by two ways: fetched by the consumer, and appended by this worker itself.

What a processor of this worker emits another one folds next, and it lies in memory: fetching it would be a wait at each
step of a chain. The log says which comes first, by its offsets; whoever is early waits here for those in between.
"""

from collections.abc import Mapping

from streams.log.port import TopicPartition
from streams.runtime.partition_steps import Message

_MOST_EARLY = 1_000
"""Messages of a place that wait for those before them; of more the consumer brings the rest."""


class Arrivals:
    """What of each place comes next. Not thread-safe. A place that was not begun takes only what is fetched."""

    def __init__(self) -> None:
        self._next: dict[TopicPartition, int] = {}
        self._early: dict[TopicPartition, dict[int, Message]] = {}

    def begin(self, positions: Mapping[TopicPartition, int]) -> None:
        """Expect the messages from these offsets on, and nothing of any other place."""
        self._next = dict(positions)
        self._early = {}

    def is_new(self, place: TopicPartition, offset: int) -> bool:
        """Return whether a message has yet to come."""
        return offset >= self._next.get(place, 0)

    def fetched(self, place: TopicPartition, message: Message) -> list[Message]:
        """Return what is to be folded now that a consumer brought ``message``, which ``is_new``: nothing lies between."""
        return [message, *self._behind(place, message.offset)]

    def appended(self, place: TopicPartition, message: Message) -> list[Message]:
        """Return what is to be folded now that ``message`` is known to lie on the log; what is early waits."""
        expected = self._next.get(place)
        if expected == message.offset:
            return [message, *self._behind(place, message.offset)]
        if expected is not None and message.offset > expected:
            early = self._early.setdefault(place, {})
            if len(early) < _MOST_EARLY:
                early[message.offset] = message
        return []

    def _behind(self, place: TopicPartition, offset: int) -> list[Message]:
        """Go on behind ``offset``, and behind what had come early."""
        found = []
        after = offset + 1
        if early := self._early.get(place):
            early.pop(offset, None)
            while (message := early.pop(after, None)) is not None:
                found.append(message)
                after += 1
            if offset > self._next.get(place, offset):  # something was jumped over, and will not come any more
                self._early[place] = {at: message for at, message in early.items() if at > after}
        self._next[place] = after
        return found

"""What operators may ask of channels: whether each sends, what is in its way, and since when something waits for it."""

from collections.abc import Mapping, Sequence

from consumers.delivery.conditions import Conditions, HeldBack, Rest, Standing, note, sentence, standing
from consumers.delivery.queue import DeliveryQueue
from consumers.web.ports import ChannelHold, ChannelRest, ChannelRow
from streams.runtime.clock import Clock


class ChannelReport:
    """Reads what senders say of themselves. ``channels`` are those that are switched on, with their titles."""

    def __init__(self, channels: Mapping[str, str], conditions: Conditions, queue: DeliveryQueue, clock: Clock) -> None:
        self._channels = channels
        self._conditions = conditions
        self._queue = queue
        self._clock = clock

    def list(self) -> Sequence[ChannelRow]:
        """Return a row for each channel, by name. Blocks; raises what the store raises."""
        return [self._row(found) for found in self._standings()]

    def _standings(self) -> Sequence[Standing]:
        conditions, now = self._conditions.all(), self._clock()
        return [standing(name, conditions, now) for name in sorted(self._channels)]

    def _row(self, found: Standing) -> ChannelRow:
        return ChannelRow(
            name=found.channel,
            title=self._channels[found.channel],
            state=found.state.value,
            summary=sentence(found),
            senders=found.senders,
            waiting_since=self._queue.oldest_unsent(found.channel),
            stand_in=found.stand_in,
            rests=[_rest(one) for one in found.rests],
            held_back=[_held(one) for one in found.held_back],
        )


def notes_of(channels: Sequence[str], conditions: Conditions, clock: Clock) -> list[str]:
    """Return a line for each of this process's channels that does not simply send, without what providers said."""
    found, now = conditions.all(), clock()
    standings = [standing(name, found, now) for name in sorted(channels)]
    return [note(one) for one in standings if one.rests or one.held_back]


def _rest(one: Rest) -> ChannelRest:
    return ChannelRest(one.provider, one.since, one.until, one.refusals, one.reason)


def _held(one: HeldBack) -> ChannelHold:
    return ChannelHold(one.limit, one.since, one.last, one.times, one.until or None)

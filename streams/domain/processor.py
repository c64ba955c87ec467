"""The description of a stream processor: one pure step and what a driver must know to run it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from schemas.events import AnyEvent, Event, EventData, Micros
from schemas.ids import derive
from streams.domain.state import State, TableSpec


class Output:
    """What one step has to say beside its new state: events, wake-ups, and that it ignored the event and why.

    ``again`` says that the cause may have been folded before: what followed from it then lies on the log. Only a
    processor that ``recalls`` need ask.
    """

    __slots__ = ("again", "cause", "copied", "emitted", "ignored", "wakes")

    def __init__(self, cause: AnyEvent, *, again: bool = False) -> None:
        self.cause = cause
        self.again = again
        self.emitted: list[AnyEvent] = []
        self.wakes: dict[tuple[str, str], Micros | None] = {}
        self.ignored: str | None = None
        self.copied = False

    def emit(
        self, data: EventData, occurred_at: Micros, *, drill: bool | None = None, content: str | None = None
    ) -> None:
        """Bring about an event on the cause's page; its id is a function of the cause and of its rank.

        It is a drill if its cause is one, unless ``drill`` says otherwise (a timer does not know what it is for).
        Where a second run may say something else in its place, ``content`` stands for the rank: two that differ must
        not have one id.
        """
        cause = self.cause
        event: AnyEvent = Event(
            derive("event", cause.id, type(data).__name__, content or str(len(self.emitted))),
            cause.page,
            occurred_at,
            cause.recorded_at,
            "tocsin",
            cause.id,
            cause.correlation_id or cause.id,
            cause.drill if drill is None else drill,
            data,
        )
        self.emitted.append(event)

    def wake(self, timer: str, due: Micros | None) -> None:
        """Ask for a ``TimerFired`` of this name at ``due``; None takes the wish back. One time for each timer."""
        self.wakes[self.cause.page, timer] = due

    def ignore(self, reason: str, *, copied: bool = False) -> None:
        """Say that the event made no sense in its state; it is kept and shown with this reason.

        ``copied``: what it says was applied before, from the same event. A log may hold an event twice, and of one that
        was applied nobody must hear that it was not.
        """
        self.ignored = reason
        self.copied = copied


class Unheard(Output):
    """The output of a replay: what is emitted lies on the log already and is not made again."""

    __slots__ = ()

    def emit(
        self, data: EventData, occurred_at: Micros, *, drill: bool | None = None, content: str | None = None
    ) -> None:
        """Nobody listens."""


class Step(Protocol):
    """One step of a fold: total, deterministic, and idempotent for an event that it has seen."""

    def __call__(self, state: State, event: AnyEvent, out: Output) -> None:
        """Change ``state`` for ``event`` and say the rest through ``out``."""


def page_key(page: str, timer: str) -> str:
    """Return the log key of a timer where the page itself is the key."""
    return page


class Processor(msgspec.Struct, frozen=True):
    """A stream processor. ``name`` is its consumer group and the owner of its state.

    ``types`` are the events it wants: a driver need not decode the others. State is kept by page or by key of the
    topics it reads, so that what one partition's events touch no other partition's events touch. Timers come back on
    the first topic, under ``timer_key(page, timer)``.

    ``repeatable`` says that an emission that comes twice is folded as one by what it says, and must be: its cause was
    decided by more than its own state (an audience), and a second run, after a worker died, may emit something else.
    ``recalls`` says that a step whose output is for a cause ``again`` finds out itself what it said before, and emits
    what of it is missing: all others decide the same once more, and their drivers keep back what the log holds.
    ``begins`` is called when batches were read and before they are folded, for steps that ask more than their state: it
    may wait until what they ask is as new as the batches. It is told behind which offsets the causes of their events lie.
    ``leisurely`` says that no other step of the road waits for what it stores or emits: a driver may let more come together.
    """

    name: str
    topics: tuple[str, ...]
    types: frozenset[str]
    tables: tuple[TableSpec, ...]
    step: Step
    prefetch: Callable[[AnyEvent], Iterable[tuple[str, str, str]]] | None = None
    timer_key: Callable[[str, str], str] = page_key
    repeatable: bool = False
    recalls: bool = False
    begins: Callable[[Mapping[tuple[str, int], int]], None] | None = None
    leisurely: bool = False

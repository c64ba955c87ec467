"""Takes one body of a monitor: understood, judged, durable on the log. Knows no HTTP.

Nothing that an authenticated sender posts is lost or fails: what cannot be understood, or makes our own code fail,
is kept whole as a dead letter.
"""

import asyncio
import logging
from collections.abc import Sequence
from hashlib import sha256
from traceback import extract_tb

import msgspec

from producers.intake.deadletters import dead_letters
from producers.intake.deps import IntakeDeps
from producers.intake.in_flight import Flight, InFlight, require_durable
from producers.intake.judging import Origin, Verdicts, keys_of
from producers.sources.source import Parse, Parsed, Problem, RawRequest
from schemas.events import AnyEvent
from streams.log.port import LogUnavailableError
from streams.runtime.secrets import SourceToken

_log = logging.getLogger(__name__)
_LARGE = 256 * 1024
"""Bytes from which on a body is parsed in a thread, so that other senders are answered meanwhile."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of a body, once it is durable.

    ``accepted`` counts alerts that are new on the log, ``ignored`` repeats and what says nothing, ``deadlettered`` the
    parts that could not be understood. ``events`` are the ids of the accepted ones and then of the dead letters, in the
    order of the body; a dead letter that was kept earlier today is named again.
    """

    accepted: int
    ignored: int
    deadlettered: int
    events: list[str]
    problems: list[str]


class Intake:
    """The intake of one process; its coroutines belong to one event loop."""

    def __init__(self, deps: IntakeDeps) -> None:
        self._deps = deps
        self._in_flight = InFlight()

    async def take(self, source: SourceToken, request: RawRequest, parse: Parse) -> Receipt:
        """Take a body that ``parse`` reads; raises LogUnavailableError when it could not be made durable."""
        origin = Origin(source.page, source.source, sha256(request.body).hexdigest(), request.received_at)
        try:
            parsed = await _parsed(parse, request)
            receipt = await self._store(origin, request, parsed)
        except LogUnavailableError:
            raise
        except Exception as error:  # a fault of ours must not cost the sender's alert: the body is kept
            receipt = await self._keep(origin, source.kind, request, error)
        self._count(source.kind, receipt)
        return receipt

    async def keep(self, source: SourceToken, request: RawRequest, parsed: Parsed) -> Receipt:
        """Take what was read already, for which nobody is answered; raises whatever goes wrong, and then nothing was taken."""
        origin = Origin(source.page, source.source, sha256(request.body).hexdigest(), request.received_at)
        receipt = await self._store(origin, request, parsed)
        self._count(source.kind, receipt)
        return receipt

    async def _keep(self, origin: Origin, kind: str, request: RawRequest, error: Exception) -> Receipt:
        try:
            return await self._store(origin, request, _internal(kind, request, error))
        except LogUnavailableError:
            raise
        except Exception as again:  # the fault lies beyond this body: nothing was taken, the sender shall come again
            raise LogUnavailableError(f"the log failed: {type(again).__name__}") from again

    async def _store(self, origin: Origin, request: RawRequest, parsed: Parsed) -> Receipt:
        deps = self._deps
        letters = await dead_letters(deps.vault, origin, request, parsed.problems)
        # From here to the flight's entry nothing waits: what is read stays true until others can see it.
        keys = keys_of(origin.source, parsed.alerts)
        known = deps.instances.get_many(origin.page, list(dict.fromkeys(keys))) if keys else {}
        relied = self._in_flight.lay_over(origin.page, keys, known)
        verdicts = Verdicts(origin, known)
        verdicts.judge_all(keys, parsed.alerts)
        new = await self._append(origin.page, verdicts, relied, letters)
        return Receipt(
            accepted=len(new),
            ignored=parsed.ignored + verdicts.ignored + len(verdicts.events) - len(new),
            deadlettered=len(parsed.problems),
            events=[*new, *(letter.id for letter in letters)],
            problems=[problem.reason for problem in parsed.problems],
        )

    async def _append(
        self, page: str, verdicts: Verdicts, relied: set[Flight], letters: Sequence[AnyEvent]
    ) -> list[str]:
        """Append and return the ids of the alerts' events that were new."""
        flight = Flight()
        durable = False
        self._in_flight.enter(page, flight, verdicts.states)
        try:
            # An end that is stored without its beginning would be taken for a repeat when it is sent again.
            await require_durable(relied)
            new = await self._publish(verdicts.events, letters)
            durable = True
        finally:
            self._in_flight.leave(page, flight, verdicts.states)
            flight.land(durable=durable)
        return new

    async def _publish(self, events: list[AnyEvent], letters: Sequence[AnyEvent]) -> list[str]:
        if not (events or letters):
            return []
        appended = await self._deps.publisher.publish([*events, *letters])
        return [event.id for event, where in zip(events, appended, strict=False) if not where.duplicate]

    def _count(self, kind: str, receipt: Receipt) -> None:
        counts = {"accepted": receipt.accepted, "ignored": receipt.ignored, "deadlettered": receipt.deadlettered}
        for outcome, count in counts.items():
            if count:
                self._deps.metrics.ingested.labels(kind, outcome).inc(count)


async def _parsed(parse: Parse, request: RawRequest) -> Parsed:
    return await asyncio.to_thread(parse, request) if len(request.body) >= _LARGE else parse(request)


def _internal(kind: str, request: RawRequest, error: Exception) -> Parsed:
    """Return the whole body as a problem. An exception's message may quote the body, so only its place is logged."""
    place = extract_tb(error.__traceback__)[-1]
    name = type(error).__name__
    _log.error("a body of a source of kind %s made us fail: %s at %s:%s", kind, name, place.filename, place.lineno)
    return Parsed([], [Problem(f"internal: {name}", request.body)], 0, [])

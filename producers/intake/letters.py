"""Dead letters looked at again: listed, opened, and read once more by their source's parser. Knows no HTTP.

Letters and what was done with them lie on one topic, which is read from its beginning each time: a question of a person. What
is redriven is judged like what is posted now, so that the same twice is once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from producers.intake.intake import Intake, Receipt
from producers.sources.registry import KIND_OF_NAME
from producers.sources.source import Parsed, RawRequest, SourceKind
from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.events import AnyEvent, DeadLettered, DeadLetterRedriven, Event, Micros
from schemas.ids import derive
from schemas.topics import DEADLETTERS
from streams.keys.vault import ErasedError, Vault
from streams.log.port import EventLog, LogUnavailableError, Record, event_of
from streams.runtime.clock import Clock
from streams.runtime.publisher import Publisher
from streams.runtime.secrets import SourceToken, SourceTokens

_READ = 100
"""Records at a time: each may hold 5 MiB."""
_PARTS = ((b"", b""), (b'{"alerts":[', b"]}"), (b"[", b"]"))
"""What a part of a body is put into, so that its parser finds it: nothing first, for most letters are whole bodies."""


class Letter(msgspec.Struct, frozen=True):
    """A dead letter without its bytes. ``expires_at`` is when they can no longer be read."""

    id: str
    source: str
    reason: str
    content_type: str
    size: int
    received_at: Micros
    expires_at: Micros
    redriven_at: Micros | None = None
    redriven_by: str | None = None


class LetterError(Exception):
    """Why a letter cannot be opened or redriven, for people; it quotes nothing of the letter."""


@dataclass(frozen=True)
class LetterDeps:
    """Everything that looking at dead letters needs."""

    log: EventLog
    publisher: Publisher
    vault: Vault
    sources: SourceTokens
    clock: Clock
    intake: Intake


class Letters:
    """The dead letters of an installation. Methods that are not coroutines block; all raise LogUnavailableError."""

    def __init__(self, deps: LetterDeps) -> None:
        self._deps = deps

    def list(self, page: str) -> list[Letter]:
        """Return the page's letters, the newest first."""
        found: dict[str, Letter] = {}
        done: dict[str, AnyEvent] = {}
        for event in self._events(page):
            match event.data:
                case DeadLettered() as letter:
                    found.setdefault(event.id, _shown(event, letter))
                case DeadLetterRedriven(letter=identifier):
                    done.setdefault(identifier, event)
                case _:
                    pass
        letters = [_marked(letter, done.get(letter.id)) for letter in found.values()]
        return sorted(letters, key=lambda letter: (-letter.received_at, letter.id))

    def find(self, page: str, identifier: str) -> Letter | None:
        """Return one letter."""
        return next((letter for letter in self.list(page) if letter.id == identifier), None)

    def open(self, page: str, identifier: str) -> tuple[bytes, DeadLettered]:
        """Return the original bytes of a letter; raises LetterError where there is none, or it has expired."""
        for event in self._events(page):
            if event.id != identifier or not isinstance(event.data, DeadLettered):
                continue
            try:
                if event.data.expires_at > self._deps.clock():
                    return self._deps.vault.open(event.data.key_id, event.data.body), event.data
            except ErasedError:
                pass
            raise LetterError("it has expired: its bytes can no longer be read")
        raise LetterError("there is no such dead letter")

    async def redrive(self, letter: Letter, body: bytes, sealed: DeadLettered, page: str, actor: str) -> Receipt:
        """Have a letter's source read it again, as if it were posted now, and note that; raises LetterError.

        What still cannot be understood changes nothing.
        """
        if letter.redriven_at is not None:
            raise LetterError(f"it was redriven already, by {letter.redriven_by}")
        source = self._deps.sources.named(page, letter.source)
        kind = None if source is None else KIND_OF_NAME.get(source.kind)
        if source is None or kind is None:
            raise LetterError(f"there is no source {letter.source} any more")
        now = self._deps.clock()
        request = RawRequest(body, {}, sealed.content_type, now, sealed.endpoint)
        receipt = await self._taken(source, kind, request)
        data = DeadLetterRedriven(letter.source, letter.id, receipt.accepted, receipt.ignored, receipt.events)
        event = Event(derive("redriven", letter.id), page, now, now, actor, letter.id, None, False, data)
        await self._deps.publisher.publish([event])
        return receipt

    async def _taken(self, source: SourceToken, kind: SourceKind, request: RawRequest) -> Receipt:
        try:
            request, parsed = _read(kind, request)
            receipt = None if parsed.problems else await self._deps.intake.keep(source, request, parsed)
        except LogUnavailableError:
            raise
        except Exception as error:  # the very fault that made it a dead letter: its message may quote the body
            raise LetterError(f"it still makes us fail: {type(error).__name__}") from error
        if receipt is None:
            raise LetterError(f"it still cannot be understood: {parsed.problems[0].reason}")
        return receipt

    def _events(self, page: str) -> Iterator[AnyEvent]:
        """Yield what lies on the topic for a page, by partition; what cannot be decoded is passed over."""
        for partition in range(self._deps.log.partitions(DEADLETTERS.name)):
            start = 0
            while stored := self._deps.log.read(DEADLETTERS.name, partition, start, _READ):
                yield from (event for each in stored if (event := _event(each.record, page)) is not None)
                start = stored[-1].offset + 1


def _event(record: Record, page: str) -> AnyEvent | None:
    if not record.key.startswith(f"{page}/"):
        return None
    try:
        return event_of(record)
    except (MalformedRecordError, UnknownSchemaError):
        return None


def _shown(event: AnyEvent, letter: DeadLettered) -> Letter:
    return Letter(
        event.id, letter.source, letter.reason, letter.content_type, letter.size, event.recorded_at, letter.expires_at
    )


def _marked(letter: Letter, done: AnyEvent | None) -> Letter:
    return letter if done is None else replace(letter, redriven_at=done.recorded_at, redriven_by=done.actor)


def _read(kind: SourceKind, request: RawRequest) -> tuple[RawRequest, Parsed]:
    """Return what the source's parser makes of a letter, which may be one alert of a body; else of its bytes as they are."""
    parse = kind.endpoints.get(request.endpoint, kind.parse)
    tried = [replace(request, body=before + request.body + behind) for before, behind in _PARTS]
    readings = [(one, parse(one)) for one in tried]
    return next(((one, parsed) for one, parsed in readings if not parsed.problems), readings[0])

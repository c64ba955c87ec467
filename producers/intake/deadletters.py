"""What could not be understood, as events: the original bytes, sealed with a key of their own that expires."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from producers.intake.deps import LetterKeys
from producers.intake.expiry import DAY, key_name
from producers.intake.judging import Origin
from producers.sources.source import Problem, RawRequest
from schemas.events import AnyEvent, DeadLettered, Event, Micros
from schemas.ids import derive
from streams.log.port import LogUnavailableError

KEPT: Micros = 30 * DAY
_LONGEST_REASON = 1_000
_LONGEST_TYPE = 200


async def dead_letters(
    keys: LetterKeys, origin: Origin, request: RawRequest, problems: Sequence[Problem]
) -> list[AnyEvent]:
    """Return a dead letter for each of ``problems`` that has bytes of its own; raises LogUnavailableError.

    The id depends on page, source, bytes and day: who sends the same poison every minute is kept once a day.
    """
    if not problems:
        return []
    try:
        return await asyncio.to_thread(_letters, keys, origin, request, problems)
    except Exception as error:  # whatever ails the key store, the sender shall come again and nothing is lost
        raise LogUnavailableError(f"the key store failed: {type(error).__name__}") from error


def _letters(keys: LetterKeys, origin: Origin, request: RawRequest, problems: Sequence[Problem]) -> list[AnyEvent]:
    letters: dict[str, AnyEvent] = {}
    for problem in problems:
        body_hash = sha256(problem.raw).hexdigest()
        identifier = derive("deadletter", origin.page, origin.source, body_hash, str(origin.now // DAY))
        if identifier not in letters:
            letters[identifier] = _letter(keys, origin, identifier, body_hash, request, problem)
    return list(letters.values())


def _letter(
    keys: LetterKeys, origin: Origin, identifier: str, body_hash: str, request: RawRequest, problem: Problem
) -> AnyEvent:
    expires_at = origin.now + KEPT
    owner = key_name(identifier, expires_at)
    keys.create(owner)
    data = DeadLettered(
        source=origin.source,
        reason=problem.reason[:_LONGEST_REASON],
        content_type=request.content_type[:_LONGEST_TYPE],
        body_hash=body_hash,
        size=len(problem.raw),
        body=keys.seal(owner, problem.raw),
        key_id=owner,
        expires_at=expires_at,
        endpoint=request.endpoint,
    )
    return Event(identifier, origin.page, origin.now, origin.now, f"source:{origin.source}", None, None, False, data)

"""Takes one receipt of a provider: checked by its reader, matched with the ledger, durable on the log. Knows no HTTP."""

import asyncio
import logging
from collections.abc import Sequence

from producers.commands.addresses import Address
from producers.receipts.deps import Listening, ReceiptDeps
from producers.receipts.receipt import Fact, NotAuthenticError, NotUnderstoodError, ReceiptRequest
from producers.receipts.recording import Recorded, Recorder
from streams.log.port import LogUnavailableError
from streams.runtime.notified import Notified

_log = logging.getLogger(__name__)
_LONGEST_ID = 200


class Receiving:
    """Receives for one process."""

    def __init__(self, deps: ReceiptDeps) -> None:
        self._deps = deps

    async def take(self, listening: Sequence[Listening], request: ReceiptRequest) -> Recorded:
        """Take a request for whichever of some channels of one page and kind it is signed.

        Raises NotAuthenticError, NotUnderstoodError, and LogUnavailableError where nothing could be made durable.
        """
        kind = listening[0].kind.name
        try:
            which, facts = await asyncio.to_thread(_read, listening, request)
        except (NotAuthenticError, NotUnderstoodError):
            self._count(kind, refused=1)
            raise
        try:
            recorded = await asyncio.to_thread(self._recorded, listening, which, facts)
        except LogUnavailableError:
            raise
        except Exception as error:  # whatever ails a store: nothing was taken, and the provider comes again
            _log.error("receipts of kind %s could not be looked up: %s", kind, type(error).__name__)
            raise LogUnavailableError(f"the ledger failed: {type(error).__name__}") from error
        if recorded.events:
            await self._deps.publisher.publish(recorded.events)
        self._count(kind, recorded=recorded.news, repeated=recorded.repeats, unknown=recorded.unknown)
        return recorded

    def _recorded(self, listening: Sequence[Listening], which: Listening, facts: Sequence[Fact]) -> Recorded:
        page = which.page
        owners = {
            address: self._deps.owners.find(Address(which.channel, address).lookup(page))
            for address in {fact.address for fact in facts if fact.address}
        }
        channels = {one.channel for one in listening}
        recorder = Recorder(page, which.kind.name, self._deps.clock(), self._known(page, channels, facts), owners)
        return recorder.record(facts)

    def _known(self, page: str, channels: set[str], facts: Sequence[Fact]) -> dict[str, Notified]:
        """Return the notifications that facts are about; a provider has no say over those of other channels."""
        asked = sorted({fact.notification for fact in facts if not fact.address and _may_be_ours(fact.notification)})
        known = self._deps.notifications.known(page, asked) if asked else {}
        return {one: found for one, found in known.items() if found.channel in channels}

    def _count(self, kind: str, **outcomes: int) -> None:
        for outcome, count in outcomes.items():
            if count:
                self._deps.metrics.receipts.labels(kind, outcome).inc(count)


def _read(listening: Sequence[Listening], request: ReceiptRequest) -> tuple[Listening, Sequence[Fact]]:
    """Return what the first reader says that the request is signed for: channels may share a provider and not an account."""
    refusal = NotAuthenticError("nobody listens")
    for one in listening:
        try:
            return one, one.read(request)
        except NotAuthenticError as error:
            refusal = error
    raise refusal


def _may_be_ours(notification: str) -> bool:
    return 0 < len(notification) <= _LONGEST_ID and notification.isascii() and notification.isprintable()

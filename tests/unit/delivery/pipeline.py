"""Planner, ledger and sender over a real log in a folder, with a scripted channel and a clock that stands still."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from consumers.delivery.channel import Capabilities, ConfirmBy, Endpoint, Message
from consumers.delivery.dispatch import Dispatch, Policy
from consumers.delivery.doubts import Doubts
from consumers.delivery.folded import SequenceFolded
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.limited import limited
from consumers.delivery.limiter import Limiter
from consumers.delivery.outcome import Finding, Outcome, Sent, Unknown
from consumers.delivery.queue import Entry
from consumers.delivery.rates import Limits
from consumers.delivery.sender import Ledger, Sender
from consumers.delivery.watch import Watch
from schemas.events import (
    AnyEvent,
    Cell,
    Change,
    Effect,
    Event,
    EventData,
    Filter,
    Micros,
    Notice,
    NoticePublished,
    SubscriberAdded,
)
from schemas.ids import derive, random_id
from schemas.vocabulary import CellStatus, Impact, IncidentStatus, Kind
from streams.log.port import event_of
from streams.runtime import failpoints
from streams.runtime.failpoints import Failpoint
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from tocsin.backend import Backend
from tocsin.config.catalogue import desired
from tocsin.config.loader import load_example

PAGE = "acme"
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
NOON: Micros = 1_772_366_400_000_000
EVERYTHING = Filter(None, Impact.NONE, [Kind.INCIDENT, Kind.MAINTENANCE])
OPENING, RESOLVED = IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED


class Crash(BaseException):
    """The process ends here: nothing after it runs, as with ``kill -9``."""


class ScriptedChannel:
    """A channel whose attempts end as ``answer`` says; ``attempts`` are the messages that were given to it."""

    def __init__(
        self,
        name: str = "email",
        *,
        idempotent: bool = False,
        claim: int = 8,
        threads: bool = False,
        batch: int = 1,
        asked_after: timedelta | None = None,
        combines: bool = True,
        claims: int = 1,
        waits_together: bool = False,
        posts_publicly: bool = False,
    ) -> None:
        confirm_by = ConfirmBy.CHALLENGE if name == "webhook" else ConfirmBy.LINK
        self.capabilities = Capabilities(
            name,
            name,
            "address",
            "",
            idempotent,
            confirm_by,
            claim,
            threads=threads,
            batch=batch,
            claims=claims,
            asked_after=asked_after,
            combines=combines and name != "webhook",
            waits_together=waits_together,
            posts_publicly=posts_publicly,
        )
        self.asked: list[Message] = []
        self.knows: Callable[[Message], Finding] = lambda _: Unknown("nobody was told")
        self.attempts: list[Message] = []
        self.requests: list[int] = []
        """How many messages each request had."""
        self.answer: Callable[[Message], Outcome] = lambda _: Sent()
        self.before: Callable[[Message], Awaitable[None]] | None = None

    def script(self, *outcomes: Outcome | Exception) -> None:
        """End the next attempts so, and those after them as sent."""
        left = list(outcomes)

        def answer(_: Message) -> Outcome:
            outcome = left.pop(0) if left else Sent()
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        self.answer = answer

    def validate(self, address: str) -> str:
        return address

    def mask(self, address: str) -> str:
        return address[:1]

    async def send(self, message: Message) -> Outcome:
        self.attempts.append(message)
        if self.before is not None:
            await self.before(message)
        return self.answer(message)

    async def send_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Answer each as ``send`` would; what raises does so for all of them."""
        assert len({message.notice.update for message in messages}) == 1
        self.requests.append(len(messages))
        return [await self.send(message) for message in messages]

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Answer what the provider has as ``knows`` says; ``asked`` are the messages that it was asked about."""
        self.asked += messages
        return [self.knows(message) for message in messages]

    async def close(self) -> None: ...

    def told(self) -> list[tuple[str, str]]:
        """Return to whom which status was given, in order."""
        return [(message.endpoint.address, message.notice.status) for message in self.attempts]


class Pipeline:
    """A data folder with the example page, and one sender at a time."""

    def __init__(
        self,
        folder: Path,
        channel: ScriptedChannel | None = None,
        policy: Policy | None = None,
        limits: Limits | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self.now = NOON
        self.tick = 0
        """By how much the clock goes on each time that it is read."""
        self.channel = channel or ScriptedChannel()
        self.policy = policy or Policy()
        name = self.channel.capabilities.name
        self.watch = Watch(self._clock)
        self.limiter = limiter or Limiter(name, limits or Limits(), held=self.watch.holds(name))
        self._folder = folder
        self._names: dict[str, str] = {}
        self.backend = self._open()
        self.backend.apply(PAGE, desired(load_example({})))

    def _open(self) -> Backend:
        return Backend(self._folder, {}, self._clock)

    def _clock(self) -> Micros:
        self.now += self.tick
        return self.now

    def restart(self) -> None:
        """Close the folder and open it again: memory is lost, the log is not."""
        self.backend.close()
        self.backend = self._open()
        self.backend.settle()

    def close(self) -> None:
        self.backend.close()

    # --- what happens ---

    def append(self, *data: EventData) -> list[AnyEvent]:
        """Append events and wait until all stages have folded them."""
        events: list[AnyEvent] = [
            Event(random_id(), PAGE, self.now, self.now, "test", None, None, False, one) for one in data
        ]
        self.backend._append_events(events)
        self.backend.settle()
        return events

    def subscribe(self, address: str, wanted: Filter = EVERYTHING, *, confirmed: bool = True) -> str:
        """Add a subscriber on the channel and return their id."""
        subscriber = random_id()
        vault = self.backend.vault
        vault.create(subscriber, f"{PAGE}/{address}")
        sealed = vault.seal(subscriber, msgspec.json.encode(Endpoint(address)))
        name = self.channel.capabilities.name
        self.append(SubscriberAdded(subscriber, name, sealed, wanted, confirmed, "test"))
        self._names[subscriber] = address
        return subscriber

    def publish(self, status: IncidentStatus = OPENING, *, subject: str = "incident") -> str:
        """Publish an update of an incident on the API in Europe and return its id."""
        notice = notice_of(status, subject, self.now)
        self.append(NoticePublished(notice))
        return notice.update

    # --- the sender ---

    def sender(self, failpoint: Failpoint = failpoints.none) -> Sender:
        backend = self.backend
        links = Links("http://status.example", backend.vault.signing_key, backend.clock)
        dispatch = Dispatch(backend.queue, backend.subscribers, backend.vault, links, backend.clock, self.policy)
        folded = SequenceFolded(lambda: backend.driver.committed_position(LedgerStage.name))
        ledger = Ledger(backend.queue, backend.publisher, folded)
        channel = limited(self.channel, self.limiter)
        sender = Sender(channel, ledger, dispatch, backend.clock, failpoint, Metrics(), limiter=self.limiter)
        self.watch.look_at(channel.capabilities.name, sender.breaker, self.limiter)
        return sender

    async def deliver(self, failpoint: Failpoint = failpoints.none) -> None:
        """Recover and send until nothing is due at this moment. Raises Crash where a failpoint does."""
        crashed: list[asyncio.Task[Any]] = []

        def watched(name: str) -> None:
            try:
                failpoint(name)
            except Crash:
                crashed.extend(filter(None, [asyncio.current_task()]))
                raise

        sender = self.sender(watched)
        await sender.recover()
        running = asyncio.create_task(sender.run())
        while self.is_busy(sender) and not crashed and not running.done():
            await asyncio.wait([running], timeout=0.002)
        if not crashed:
            sender.stop()
            await running
            return
        sending = [running, *sender._tasks, *crashed]
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        raise Crash

    async def deliver_some(self, count: int) -> None:
        """Send until ``count`` attempts were made and recorded; what waits for a limit waits on."""
        sender = self.sender()
        running = asyncio.create_task(sender.run())
        while len(self.channel.attempts) < count and not running.done():
            await asyncio.wait([running], timeout=0.002)
        sender.stop()
        await running

    def is_busy(self, sender: Sender) -> bool:
        """Whether something is claimed, or due on a channel that does not pause."""
        until = self.now if not sender._breaker.is_open(self.now) else -1
        statement = "select 1 from ledger where channel = ? and (state = 'claimed' or due <= ?) limit 1"
        if self.backend.log.query(statement, (self.channel.capabilities.name, until)):
            return True
        overtaken = self.backend.queue.overtaken(self.channel.capabilities.name, 1_000)
        return any(Doubts(self.channel.capabilities, self.backend.queue).sort(overtaken, self.now, may_ask=until > 0))

    # --- what is known ---

    def entries(self) -> list[Entry]:
        """Return the whole ledger in the order of planning."""
        columns = "notification, page, subject, update_id, subscriber, channel, shard, state, reason, worker, attempts, at, seq, held_until"
        return [Entry(*row) for row in self.backend.log.query(f"select {columns} from ledger order by seq")]

    def states(self) -> list[tuple[str, str]]:
        """Return for each notification whom it is for and its state, in the order of planning."""
        return [(self._names.get(entry.subscriber, "?"), entry.state) for entry in self.entries()]

    def events(self) -> list[AnyEvent]:
        """Return all that lies on the log."""
        return [event_of(stored.record) for stored in self.backend.log.read_all(0, 100_000)]


@contextmanager
def pipeline(channel: ScriptedChannel | None = None, policy: Policy | None = None) -> Iterator[Pipeline]:
    """Yield a pipeline in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = Pipeline(Path(folder), channel, policy)
        try:
            yield made
        finally:
            made.close()


def notice_of(
    status: IncidentStatus, subject: str, now: Micros, cells: Sequence[Cell] = (Cell("api", "eu"),)
) -> Notice:
    """Return what one update of an incident says."""
    old, new = CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE
    if status is RESOLVED:
        old, new = new, old
    return Notice(
        kind=Kind.INCIDENT,
        update=derive("update", subject, status, random_id()),
        subject_id=subject,
        title="API errors",
        body="Some requests fail.",
        status=status,
        impact=Impact.CRITICAL,
        impact_chosen=False,
        changes=[Change(cell.component, cell.region, old, new) for cell in cells],
        affects=[Effect(cell.component, cell.region, new) for cell in cells],
        components=[cell.key for cell in cells],
        page_name="Acme Cloud",
        page_url="http://status.example",
        timezone="UTC",
        promise_at=None,
        started_at=now,
        published_at=now,
    )

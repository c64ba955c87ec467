"""Any history of updates, answers, crashes and restarts: nobody is told twice, nothing overtakes, all is accounted for."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery.channel import Message
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from schemas.events import DeliveriesRecorded, NotificationsClaimed
from schemas.vocabulary import IncidentStatus, NotificationState
from streams.runtime.failpoints import NAMES
from tests.unit.delivery.pipeline import MINUTE, SECOND, Crash, Pipeline, ScriptedChannel, pipeline

ENDED = {"sent", "failed", "suppressed", "superseded", "in_doubt"}
UPDATES = [IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED]
OUTCOMES: list[Outcome] = [
    Sent(), Sent(), Sent(), Retry("busy"), InDoubt("silence"), Rejected(Scope.MESSAGE, "refused"),
    Rejected(Scope.CHANNEL, "blocked"),
]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One thing that happens: an update, a delivery with a crash or without, time, or a restart."""

    kind: str
    number: int


STEPS = st.lists(
    st.builds(Step, st.sampled_from(["publish", "publish", "deliver", "crash", "wait", "restart"]), st.integers(0, 59)),
    min_size=2,
    max_size=14,
)


class Watched:
    """What really left, as the other side sees it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.mild = False
        self.left: list[Message] = []
        self.under_way: set[tuple[str, str]] = set()
        self.overlaps = 0

    async def before(self, message: Message) -> None:
        """Take a moment for each message, so that those of one endpoint could overlap."""
        where = (message.notice.subject_id, message.endpoint.address)
        self.overlaps += where in self.under_way
        self.under_way.add(where)
        try:
            await asyncio.sleep(self.random.choice([0, 0.001]))
        finally:
            self.under_way.discard(where)

    def answer(self, message: Message) -> Outcome:
        """Answer at random; what is accepted, or perhaps accepted, has left."""
        outcome = Sent() if self.mild else self.random.choice(OUTCOMES)
        if isinstance(outcome, (Sent, InDoubt)):
            self.left.append(message)
        return outcome


@settings(max_examples=25)
@given(steps=STEPS, seed=st.integers(0, 2**32), idempotent=st.booleans())
def test_any_history(steps: Sequence[Step], seed: int, idempotent: bool) -> None:
    channel = ScriptedChannel("email", idempotent=idempotent, claim=3)
    watched = Watched(seed)
    channel.answer, channel.before = watched.answer, watched.before
    with pipeline(channel) as made:
        for name in ("ann", "ben", "eve"):
            made.subscribe(f"{name}@example.com")
        asyncio.run(_play(made, steps))
        watched.mild = True
        asyncio.run(_settle(made))
        _check(made, watched, idempotent=idempotent)


async def _play(made: Pipeline, steps: Sequence[Step]) -> None:
    for step in steps:
        match step.kind:
            case "publish":
                made.publish(UPDATES[step.number % 3], subject=f"incident {step.number % 2}")
            case "deliver":
                await made.deliver()
            case "crash":
                await _crash(made, NAMES[step.number % len(NAMES)], step.number // len(NAMES) % 4 + 1)
            case "wait":
                made.now += (step.number + 1) * SECOND
            case _:
                made.restart()


async def _crash(made: Pipeline, name: str, times: int) -> None:
    def die(place: str) -> None:
        nonlocal times
        times -= place == name
        if times == 0:
            raise Crash

    try:
        await made.deliver(die)
    except Crash:
        made.restart()


async def _settle(made: Pipeline) -> None:
    """Let all waits pass while everything is accepted."""
    for _ in range(6):
        await made.deliver()
        made.now += 20 * MINUTE


def _check(made: Pipeline, watched: Watched, *, idempotent: bool) -> None:
    entries = made.entries()
    states = {entry.notification: entry.state for entry in entries}
    assert watched.overlaps == 0, "one is in flight for each incident and endpoint"
    assert set(states.values()) <= ENDED, "every planned notification is accounted for"
    _check_order(made)
    doubted = {
        result.notification
        for event in made.events()
        if isinstance(event.data, DeliveriesRecorded)
        for result in event.data.results
        if result.state is NotificationState.IN_DOUBT
    }
    left = Counter(message.notification for message in watched.left)
    twice = {notification for notification, count in left.items() if count > 1}
    assert twice <= doubted if idempotent else not twice, "none is sent twice but what is listed in doubt"
    unsent = {notification for notification, state in states.items() if state not in {"sent", "in_doubt"}}
    assert not unsent & left.keys(), "nothing that left is recorded as not sent"


def _check_order(made: Pipeline) -> None:
    """What was attempted for one endpoint and incident went in the order of planning, repeats of one aside."""
    rank = {entry.notification: entry.seq for entry in made.entries()}
    seen: dict[tuple[str, str], int] = {}
    for message in made.channel.attempts:
        where = (message.notice.subject_id, message.endpoint.address)
        assert rank[message.notification] >= seen.get(where, 0), "an older update came after a newer one"
        seen[where] = rank[message.notification]


def test_every_attempt_was_claimed_before() -> None:
    with pipeline() as made:
        made.subscribe("ann@example.com")
        claimed: list[set[str]] = []

        async def look(message: Message) -> None:
            claims = [event.data for event in made.events() if isinstance(event.data, NotificationsClaimed)]
            claimed.append({one for claim in claims for one in claim.notifications})
            assert message.notification in claimed[-1]

        made.channel.before = look
        made.publish()
        asyncio.run(made.deliver())
        assert made.states() == [("ann@example.com", "sent")]
        assert claimed

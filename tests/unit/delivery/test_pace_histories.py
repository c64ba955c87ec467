"""Any history of updates, wishes, answers and crashes: all is accounted for, an all-clear follows, and wishes are kept."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.delivery import timing
from consumers.delivery.channel import Message
from consumers.delivery.dispatch import Policy
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.queue import Entry
from consumers.delivery.storm import Storm
from schemas.events import Digest, Micros, NoticePublished, Pace, PaceChosen, QuietHours
from schemas.vocabulary import DigestEvery, Impact, IncidentStatus, Kind
from streams.runtime.failpoints import NAMES
from tests.unit.delivery.pipeline import MINUTE, RESOLVED, Crash, Pipeline, ScriptedChannel, notice_of, pipeline

ENDED = {"sent", "failed", "suppressed", "superseded", "in_doubt"}
UPDATES = [IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED, IncidentStatus.RESOLVED]
IMPACTS = [Impact.MINOR, Impact.MAJOR, Impact.CRITICAL]
WAITS = [MINUTE, 7 * MINUTE, 45 * MINUTE, 5 * 60 * MINUTE]
OUTCOMES: list[Outcome] = [
    Sent(),
    Sent(),
    Sent(),
    Retry("busy"),
    InDoubt("silence"),
    Rejected(Scope.MESSAGE, "refused"),
]

times_of_day = st.integers(0, 24 * 60 - 1)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])
quiet_hours = st.builds(QuietHours, times_of_day, times_of_day, zones).filter(lambda one: one.start != one.end)
digests = st.builds(Digest, st.sampled_from(DigestEvery), times_of_day, zones)
paces = st.builds(
    Pace, st.none() | quiet_hours, st.none() | digests, st.sampled_from([0, 0, 600, 7_200]), st.booleans()
)


@dataclass(frozen=True)
class Step:
    """One thing that happens; ``number`` says which."""

    kind: str
    number: int
    pace: Pace


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(
            ["publish", "publish", "publish", "deliver", "deliver", "wait", "wait", "crash", "restart", "wish"]
        ),
        st.integers(0, 59),
        paces,
    ),
    min_size=3,
    max_size=16,
)


@dataclass
class Told:
    """What left, when, and to whose wishes."""

    made: Pipeline
    random: Random
    paces: dict[str, Pace] = field(default_factory=dict)
    mild: bool = False
    left: list[tuple[Micros, Message]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Wishes that were not kept; what is raised within a channel is taken for the channel's fault."""

    def answer(self, message: Message) -> Outcome:
        """Answer at random; what is accepted, or perhaps accepted, has left."""
        self._check(message)
        outcome = Sent() if self.mild else self.random.choice(OUTCOMES)
        if isinstance(outcome, (Sent, InDoubt)):
            self.left.append((self.made.now, message))
        return outcome

    def _check(self, message: Message) -> None:
        pace, now = self.paces[message.endpoint.address], self.made.now
        if message.notice.impact is Impact.CRITICAL and pace.critical_gets_through:
            return
        if pace.quiet_hours is not None and timing.quiet_until(pace.quiet_hours, now) is not None:
            self.broken.append(f"{message.notification} within quiet hours")
        before = [at for at, other in self.left if other.endpoint == message.endpoint]
        if before and now - before[-1] < pace.minimum_gap * 1_000_000:
            self.broken.append(f"{message.notification} within the gap")


@settings(max_examples=40)
@given(first=st.tuples(paces, paces), steps=STEPS, seed=st.integers(0, 2**32), stormy=st.booleans())
@example(  # all at once, in a storm, for one who wants a digest and one who wants a gap
    first=(
        Pace(digest=Digest(DigestEvery.DAY, 480, "Europe/Berlin"), critical_gets_through=False),
        Pace(minimum_gap=7_200),
    ),
    steps=[Step("publish", number, Pace()) for number in range(0, 30, 3)] + [Step("deliver", 0, Pace())] * 2,
    seed=1,
    stormy=True,
)
def test_any_history(first: tuple[Pace, Pace], steps: Sequence[Step], seed: int, stormy: bool) -> None:
    channel = ScriptedChannel("email", claim=3)
    policy = Policy(storm=Storm(3, 10 * MINUTE) if stormy else None)
    with pipeline(channel, policy) as made:
        # Of two that were claimed for one endpoint the earlier one goes: no clock stands still between them.
        made.tick = 1
        told = Told(made, Random(seed))
        channel.answer = told.answer
        people = [made.subscribe(f"{name}@example.com") for name in ("ann", "ben", "eve")]
        told.paces = {f"{name}@example.com": Pace() for name in ("ann", "ben", "eve")}
        for key, pace in zip(people, first, strict=False):
            _wish(made, told, key, pace)
        asyncio.run(_play(made, told, people, steps))
        told.mild = True
        asyncio.run(_settle(made))
        _check(made, told)


def _wish(made: Pipeline, told: Told, key: str, pace: Pace) -> None:
    made.append(PaceChosen(key, pace))
    told.paces[made._names[key]] = pace


async def _play(made: Pipeline, told: Told, people: Sequence[str], steps: Sequence[Step]) -> None:
    for step in steps:
        match step.kind:
            case "publish":
                notice = notice_of(UPDATES[step.number % 3], f"incident {step.number % 10}", made.now)
                made.append(NoticePublished(replace(notice, impact=IMPACTS[step.number // 20])))
            case "deliver":
                await made.deliver()
            case "wait":
                made.now += WAITS[step.number % len(WAITS)]
            case "wish":
                _wish(made, told, people[step.number % len(people)], step.pace)
            case "crash":
                await _crash(made, NAMES[step.number % len(NAMES)])
            case _:
                made.restart()


async def _crash(made: Pipeline, name: str) -> None:
    def die(place: str) -> None:
        if place == name:
            raise Crash

    try:
        await made.deliver(die)
    except Crash:
        made.restart()


async def _settle(made: Pipeline) -> None:
    """Let all waits pass while everything is accepted."""
    await made.deliver()
    for _ in range(100):
        due = made.backend.queue.due_at("email")
        if due is None:
            return
        made.now = max(made.now, due)
        await made.deliver()
    raise AssertionError("something waits for ever")


def _check(made: Pipeline, told: Told) -> None:
    entries = made.entries()
    assert told.broken == []
    assert {entry.state for entry in entries} <= ENDED, "every planned notification is accounted for"
    threads: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        threads.setdefault((entry.subject, entry.subscriber), []).append(entry)
    for thread in threads.values():
        newest = thread[-1]
        assert newest.state != "superseded", "the newest goes"
        may_have_left = any(entry.state in {"sent", "in_doubt"} for entry in thread[:-1])
        status = made.backend.queue.notice(newest).status
        assert not (status == RESOLVED and may_have_left) or newest.state != "suppressed", "an all-clear follows"
    in_message = Counter(
        entry.reason.rpartition(" ")[2] for entry in entries if entry.state == "sent" and ", sent as " in entry.reason
    )
    by_id = {entry.notification: entry for entry in entries}
    sent = Counter(message.notification for _, message in told.left if by_id[message.notification].state == "sent")
    assert set(sent.values()) <= {1}, "nobody is told twice"
    for _, message in told.left:
        if message.notice.kind is Kind.SUMMARY and by_id[message.notification].state == "sent":
            listed = len(message.notice.body.splitlines())
            assert listed == 1 + in_message.pop(message.notification), "each of a message is concluded"
    assert not in_message, "with whom it went did leave"

"""From one story to one row of the matrix: what became of each notification, and what was broken. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.kill.evidence import Evidence, Receipt
from tests.kill.invariants import Record, judge
from tests.kill.matrix.outside import Arrival
from tests.kill.matrix.ward import Story, texts_of

COUNTS = (
    "planned", "sent", "superseded", "failed", "in doubt", "of these arrived", "doubts ended", "seen twice, listed", "lost",
    "unaccounted", "doubled",
)  # fmt: skip
"""``in doubt`` is what stays so; ``doubts ended`` what was in doubt and is not any more. The last three must be 0."""
MUST_BE_ZERO = ("lost", "unaccounted", "doubled")
_TAKEN = frozenset({"sent", "delivered"})


@dataclass(frozen=True)
class Row:
    """One cell. ``listed`` are the reasons of what stays in doubt; ``broken`` is empty where all held."""

    road: str
    kind: str
    failpoint: str
    restart: str
    counts: Mapping[str, int]
    listed: Mapping[str, str]
    broken: Sequence[str]


def row_of(story: Story, road: str, kind: str, *, repeats: bool) -> Row:
    """Judge a story; ``repeats`` says that the other side cannot know that it was asked again."""
    record = Record(story.events)
    arrived = [Receipt(*pair) for pair in _known(story, record, story.arrived)]
    seen = Counter(notification for notification, _ in _known(story, record, story.seen))
    twice = {notification for notification, count in seen.items() if count > 1}
    doubled = {one for one in twice if not (repeats and one in record.doubted)}
    of_all = judge(_evidence(story, arrived), record)
    there = {one.notification for one in arrived}
    states = record.states
    in_doubt = {one for one, state in states.items() if state == "in_doubt"}
    unfinished = record.unfinished()
    copies = Counter(one.notification for one in arrived)
    doubled |= {one for one, count in copies.items() if count > 1 and one not in record.doubted}
    counts = {
        "planned": len(record.planned),
        "sent": sum(state in _TAKEN for state in states.values()),
        "superseded": sum(state == "superseded" for state in states.values()),
        "failed": sum(state in ("failed", "suppressed") for state in states.values()),
        "in doubt": len(in_doubt),
        "of these arrived": len(in_doubt & there),
        "doubts ended": len(record.doubted - in_doubt),
        "seen twice, listed": len(twice - doubled),
        "lost": sum(state in _TAKEN and one not in there for one, state in states.items()),
        "unaccounted": len(unfinished),
        "doubled": len(doubled),
    }
    broken = [
        *of_all.broken,
        *(f"seen twice: {one}" for one in sorted(doubled)),
        *story.complaints,
        *_failed(story, record),
    ]
    listed = {one: story.reasons.get(one, "") for one in sorted(in_doubt)}
    return Row(road, kind, story.failpoint, story.restart, counts, listed, broken)


def _failed(story: Story, record: Record) -> Iterator[str]:
    """Nothing ails the vendors: a failure, or a message to nobody, would hide what the matrix is about."""
    for notification, state in record.states.items():
        if state in ("failed", "suppressed"):
            yield f"{notification} is {state}: {story.reasons.get(notification, '')}"
    if len(record.planned) != len(story.readers) * len(story.signs):
        yield f"{len(record.planned)} planned for {len(story.readers)} readers of {len(story.signs)} updates"


def _known(story: Story, record: Record, arrivals: Sequence[Arrival]) -> list[tuple[str, str]]:
    """Return the notification and address of what arrived of this incident, in order; one of another is not its matter."""
    who = {address: subscriber for subscriber, address in story.readers.items()}
    update_of = {text: update for update, text in texts_of(story.events).items()}
    notification_of = {place: notification for notification, place in record.planned.items()}
    found = []
    for address, said in arrivals:
        for text, signs in story.signs.items():
            if any(sign in said for sign in signs):
                place = (update_of.get(text, text), who[address])
                found.append((notification_of.get(place, f"unplanned {place}"), address))
    return found


def _evidence(story: Story, arrived: Sequence[Receipt]) -> Evidence:
    return Evidence(
        acknowledged=frozenset(),
        event_ids=frozenset(),
        said=frozenset(),
        commands=frozenset(story.signs),
        events=story.events,
        listed=story.listed,
        received=arrived,
        shown={},
        expected={},
    )

"""When a storm begins for one endpoint, and how long what comes then waits: a table over what it was told lately."""

import pytest

from consumers.delivery import storm as storms
from consumers.delivery.dispatch import Policy
from consumers.delivery.queue import Entry
from consumers.delivery.storm import Storm
from schemas.events import Micros
from schemas.vocabulary import NotificationState as State
from tests.parts.tocsin import example
from tests.unit.delivery.pipeline import MINUTE, NOON, SECOND
from tocsin.config.loader import parse
from tocsin.delivering import policy_of

GUARD = Storm(3, 6 * MINUTE)


def entry(subject: str, state: State, ago: Micros = 0, held_until: Micros = 0) -> Entry:
    return Entry(f"n {subject}", "acme", subject, "u", "ann", "email", 0, state, "", "", 0, NOON - ago, 0, held_until)


def past(*told: tuple[str, State, Micros]) -> list[Entry]:
    return [entry(subject, state, ago) for subject, state, ago in told]


@pytest.mark.parametrize(
    ("others", "until"),
    [
        ((), None),
        ((("a", State.SENT, MINUTE),), None),
        ((("a", State.SENT, MINUTE), ("b", State.SENT, 0)), 2 * MINUTE),
        ((("a", State.SENT, MINUTE), ("a", State.SENT, 0)), None),
        ((("a", State.SENT, 5 * MINUTE), ("b", State.SENT, 90 * SECOND)), 30 * SECOND),
        ((("a", State.SENT, 5 * MINUTE), ("b", State.SENT, 3 * MINUTE)), None),
        ((("a", State.SENT, 6 * MINUTE), ("b", State.SENT, 0)), None),
        ((("a", State.IN_DOUBT, MINUTE), ("b", State.DELIVERED, 0)), 2 * MINUTE),
        ((("a", State.FAILED, MINUTE), ("b", State.SUPPRESSED, 0)), None),
        ((("a", State.PLANNED, 0), ("b", State.PLANNED, 0)), 10 * SECOND),
        ((("a", State.PLANNED, 0), ("b", State.SENT, MINUTE)), MINUTE),
        ((("mine", State.PLANNED, 0), ("b", State.PLANNED, 0)), None),
    ],
)
def test_from_so_many_within_so_long(others: tuple[tuple[str, State, Micros], ...], until: Micros | None) -> None:
    found = storms.hold(GUARD, entry("mine", State.CLAIMED), past(*others), NOON)
    assert (None if found is None else found.until) == (None if until is None else NOON + until)


def test_it_says_why() -> None:
    found = storms.hold(
        GUARD, entry("mine", State.CLAIMED), past(("a", State.PLANNED, 0), ("b", State.PLANNED, 0)), NOON
    )
    assert found is not None
    assert found.reason == "a storm of 3 incidents within 6m: told together"


def test_what_has_waited_goes_with_the_rest() -> None:
    mine = entry("mine", State.CLAIMED, held_until=NOON)
    assert storms.hold(GUARD, mine, past(("a", State.PLANNED, 0), ("b", State.PLANNED, 0)), NOON) is None
    together = past(("a", State.CLAIMED, 0), ("b", State.CLAIMED, 0))
    assert storms.hold(GUARD, mine, [], NOON, together) is None
    just_told = past(("c", State.SENT, MINUTE))
    found = storms.hold(GUARD, mine, just_told, NOON, together)
    assert found is not None
    assert found.until == NOON + MINUTE


def test_of_two_that_are_claimed_at_once_one_goes_first() -> None:
    first, second = entry("a", State.CLAIMED), entry("b", State.CLAIMED)
    assert storms.left(first, [first, second]) == []
    assert storms.left(second, [first, second]) == [first]


def test_the_configuration_says_from_when_on() -> None:
    guarded = f"{example()}\ndelivery: {{storm: {{incidents: 10, within: 5m}}}}\n"
    config = parse(guarded.encode(), "example.yaml", {})
    assert policy_of(config) == Policy(storm=Storm(10, 5 * MINUTE))
    assert policy_of(parse(example().encode(), "example.yaml", {})).storm is None

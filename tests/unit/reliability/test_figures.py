"""MTTA, MTTR and counts: the definitions of docs/reliability.md as properties."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.reliability.figures import figures, figures_by_component
from schemas.events import Micros
from schemas.vocabulary import CellStatus
from streams.domain.model import Incident
from tests.builders.views import DAY, HOUR, MINUTE, NOW, effect, incident, update

WHOLE = (0, NOW + 1000 * DAY)


def made(began: int, delay: int, length: int | None, cell: str, *, drill: bool = False) -> Incident:
    started = NOW + began * HOUR
    change = (cell, CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE)
    steps = [update("investigating", "We look into it.", started + delay * MINUTE, change)]
    if length is not None:
        steps.append(update("resolved", "It is over.", started + (delay + length) * MINUTE))
    effects = [] if length is not None else [effect(cell, CellStatus.MAJOR_OUTAGE)]
    return replace(incident(f"{began}/{cell}", steps, effects=effects, drill=drill), started_at=started)


incidents = st.lists(
    st.builds(
        made,
        st.integers(0, 200), st.integers(0, 60), st.none() | st.integers(0, 600), st.sampled_from(["api/eu", "login"]),
        drill=st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


def test_an_outage_told_by_hand() -> None:
    found = figures([made(0, 4, 26, "api/eu"), made(10, 2, None, "login")], *WHOLE)
    assert (found.incidents, found.resolved, found.open) == (2, 1, 1)
    assert (found.mtta_seconds, found.mttr_seconds) == (180.0, 1800.0)


@given(incidents, st.integers(0, 220))
def test_windows_next_to_each_other_add_up(history: list[Incident], cut: int) -> None:
    middle: Micros = NOW + cut * HOUR
    whole, before, behind = figures(history, *WHOLE), figures(history, 0, middle), figures(history, middle, WHOLE[1])
    assert whole.incidents == before.incidents + behind.incidents
    assert whole.resolved == before.resolved + behind.resolved
    assert whole.open == behind.open
    assert whole.incidents == whole.resolved + whole.open


@given(incidents)
def test_drills_count_for_nothing_and_order_does_not_matter(history: list[Incident]) -> None:
    real = [each for each in history if not each.drill]
    assert figures(history, *WHOLE) == figures(real, *WHOLE)
    by_component = figures_by_component(history, *WHOLE)
    assert by_component == figures_by_component(history[::-1], *WHOLE)
    assert sum(own.incidents for own in by_component.values()) == len(real)


@given(incidents)
def test_means_lie_between_what_they_are_taken_of(history: list[Incident]) -> None:
    real = [each for each in history if not each.drill]
    found = figures(history, *WHOLE)
    waits = [(each.created_at - each.started_at) / 1e6 for each in real]
    if found.mtta_seconds is None:
        assert not waits
    else:
        assert min(waits) - 1e-6 <= found.mtta_seconds <= max(waits) + 1e-6
    assert (found.mttr_seconds is None) == (found.resolved == 0)

"""How statuses roll up, as ``docs/status.md`` says: the table, and what holds for every tree and every status."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Cell
from schemas.vocabulary import CellStatus
from streams.domain import rollup
from streams.domain.model import CellState, Component, PageView
from streams.domain.rollup import component_status, page_status, status_of_page, worst
from streams.domain.tree import Tree
from tests.builders.views import DEGRADED, MAJOR, MASKED, OPERATIONAL, PARTIAL, SETTINGS, component, view

NAMES = "abcdefgh"
ORDER = [OPERATIONAL, MASKED, DEGRADED, PARTIAL, MAJOR]
statuses = st.sampled_from(CellStatus)
PAGE_TABLE = [
    ([], rollup.ALL_OPERATIONAL),
    ([OPERATIONAL], rollup.ALL_OPERATIONAL),
    ([MAJOR], rollup.MAJOR_OUTAGE),
    ([MAJOR, MAJOR], rollup.MAJOR_OUTAGE),
    ([MAJOR, OPERATIONAL], rollup.PARTIAL_OUTAGE),
    ([MAJOR, PARTIAL], rollup.PARTIAL_OUTAGE),
    ([MAJOR, MASKED], rollup.PARTIAL_OUTAGE),
    ([PARTIAL, PARTIAL], rollup.PARTIAL_OUTAGE),
    ([PARTIAL, OPERATIONAL], rollup.MINOR_OUTAGE),
    ([PARTIAL, DEGRADED], rollup.MINOR_OUTAGE),
    ([DEGRADED, DEGRADED], rollup.DEGRADED),
    ([DEGRADED, OPERATIONAL], rollup.PARTLY_DEGRADED),
    ([DEGRADED, MASKED], rollup.PARTLY_DEGRADED),
    ([MASKED, OPERATIONAL], rollup.MAINTENANCE),
    ([MASKED, MASKED], rollup.MAINTENANCE),
]


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Component]:
    """Draw any definitions at all: nested, without their parents, in circles."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return {
        name: component(
            name,
            parent=draw(st.none() | st.sampled_from(NAMES)),
            position=draw(st.integers(0, 3)),
            regions=draw(st.lists(st.sampled_from(["eu", "us"]), unique=True)),
        )
        for name in names
    }


@st.composite
def views(draw: st.DrawFn) -> PageView:
    components = draw(trees())
    cells = [cell.key for each in components.values() for cell in each.cells]
    made = {key: CellState({}, [], draw(statuses), 0) for key in cells if draw(st.booleans())}
    base = view(list(components.values()))
    return PageView(
        base.page, SETTINGS, base.regions, components, made, {}, {}, {}, updated_at=0, version=1
    )  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), PAGE_TABLE)
def test_the_page_follows_the_table(found: list[CellStatus], expected: rollup.PageStatus) -> None:
    assert page_status(found) == expected


def test_the_maintenance_indicator_can_be_switched_off() -> None:
    assert page_status([MASKED], maintenance_indicator=False) == ("none", "Service Under Maintenance")
    assert page_status([MASKED, MAJOR], maintenance_indicator=False).indicator == "major"


@pytest.mark.parametrize(("one", "other"), list(product(CellStatus, repeat=2)))
def test_an_outage_outweighs_maintenance_and_that_outweighs_calm(one: CellStatus, other: CellStatus) -> None:
    assert worst([one, other]) is max(one, other, key=ORDER.index)


@given(st.lists(statuses))
def test_the_page_does_not_depend_on_the_order(found: list[CellStatus]) -> None:
    assert page_status(found) == page_status(reversed(found)) == page_status(sorted(found))


@given(st.lists(statuses, min_size=1), st.data())
def test_the_page_never_looks_better_when_a_component_gets_worse(found: list[CellStatus], data: st.DataObject) -> None:
    severity = ["none", "maintenance", "minor", "major", "critical"]
    at = data.draw(st.integers(0, len(found) - 1))
    worse = data.draw(st.sampled_from(ORDER[ORDER.index(found[at]) :]))
    after = page_status([*found[:at], worse, *found[at + 1 :]]).indicator
    assert severity.index(after) >= severity.index(page_status(found).indicator)


@given(st.lists(statuses))
def test_the_page_is_calm_only_when_everything_is(found: list[CellStatus]) -> None:
    assert (page_status(found) == rollup.ALL_OPERATIONAL) == (set(found) <= {OPERATIONAL})


@given(views())
def test_a_group_is_its_worst_leaf_and_a_leaf_its_worst_cell(shown: PageView) -> None:
    tree = Tree(shown.components)
    for name, each in shown.components.items():
        if tree.is_group(name):
            below = [component_status(shown, child.definition.component) for child in tree.children(name)]
        else:
            below = [rollup.cell_status(shown, cell) for cell in each.cells]
        assert component_status(shown, name) is worst(below)


@given(views())
def test_the_page_follows_its_leaves(shown: PageView) -> None:
    leaves = [leaf.definition.component for leaf in Tree(shown.components).leaves(None)]
    assert status_of_page(shown) == page_status([component_status(shown, leaf) for leaf in leaves])


@given(trees())
def test_every_component_stands_in_exactly_one_place(components: dict[str, Component]) -> None:
    tree = Tree(components)
    seen: list[str] = []
    pending = tree.children(None)
    while pending:
        at = pending.pop()
        seen.append(at.definition.component)
        pending += tree.children(at.definition.component)
    assert sorted(seen) == sorted(components)


@given(trees())
def test_a_component_stands_below_its_parent_or_at_the_top_and_the_order_is_the_display_order(
    components: dict[str, Component],
) -> None:
    tree = Tree(components)
    for name, each in components.items():
        parent = each.definition.parent
        assert tree.parent(name) in {parent, None}
    shuffled = Tree(dict(reversed(components.items())))
    assert [each.definition for each in tree.leaves(None)] == [each.definition for each in shuffled.leaves(None)]


def test_a_circle_of_parents_stands_at_the_top_and_keeps_what_hangs_on_it() -> None:
    circle = [component("a", parent="b"), component("b", parent="a"), component("c", parent="a")]
    tree = Tree({each.definition.component: each for each in circle})
    assert [each.definition.component for each in tree.children(None)] == ["a", "b"]
    assert tree.parent("c") == "a"


def test_a_component_that_is_not_known_is_operational() -> None:
    assert component_status(view(), "nobody") is OPERATIONAL
    assert rollup.cell_status(view(), Cell("nobody", "eu")) is OPERATIONAL

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from schemas import events as e
from schemas.events import EventData
from schemas.vocabulary import CellStatus, Publish
from streams.domain.catalogue import Catalogue, catalogue_in, catalogue_of, difference, fold, from_the_top
from streams.domain.page import CATALOGUE_TABLES, evolve
from streams.domain.processor import Output
from streams.domain.state import memory_state
from tocsin.config.describe import describe_all

REGIONS = ["eu", "us", "ap", "sa"]
NAMES = ["one", "two", "three", "four", "five", "six"]
WORDS = st.sampled_from(["a", "b"])
SUBSETS = st.lists(st.sampled_from(["x", "y", "z"]), unique=True)
PAGES = st.builds(
    e.PageDefined, name=WORDS, url=st.just("https://status.example"), timezone=st.just("UTC"), support_url=st.just(""),
    update_every=st.sampled_from([600, 1800]), partial_weight=st.just(0.3), maintenance_indicator=st.booleans(),
)  # fmt: skip


@st.composite
def component_trees(draw: st.DrawFn, regions: list[str]) -> dict[str, e.ComponentDefined]:
    found: dict[str, e.ComponentDefined] = {}
    for position, name in enumerate(draw(st.lists(st.sampled_from(NAMES), unique=True))):
        parent = draw(st.sampled_from([None, *found]))
        used = draw(st.lists(st.sampled_from(regions), unique=True)) if regions else []
        found[name] = e.ComponentDefined(name, draw(WORDS), parent, position, used, None, False, "")
    groups = {one.parent for one in found.values()}
    return {name: changed(one, regions=[]) if name in groups else one for name, one in found.items()}


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    regions = draw(st.lists(st.sampled_from(REGIONS), unique=True))
    components = draw(component_trees(regions))
    sources = {name: e.SourceDefined(name, draw(WORDS)) for name in draw(SUBSETS)}
    templates = {name: e.TemplateDefined(name, draw(WORDS), {}) for name in draw(SUBSETS)}
    rules = [
        e.Rule(
            id=name, source=draw(st.sampled_from([None, *sources])), labels={}, region=None,
            component=draw(st.sampled_from(list(components))), status={"*": CellStatus.DEGRADED},
            publish=Publish.AUTO, delay=0, template=draw(st.sampled_from(list(templates))),
        )
        for name in (draw(SUBSETS) if components and templates else [])
    ]  # fmt: skip
    return Catalogue(
        page=draw(PAGES),
        regions=e.RegionsDefined([e.Region(region, draw(WORDS)) for region in regions]),
        components=components, templates=templates, sources=sources, rules=e.RulesDefined(rules),
    )  # fmt: skip


def dangling(catalogue: Catalogue) -> Iterator[str]:
    """Name what refers to something that is not there, and rings of parents."""
    if catalogue.page is None:
        yield "page"
    regions = {region.id for region in catalogue.regions.regions}
    for name, one in catalogue.components.items():
        if not set(one.regions) <= regions:
            yield f"{name}: region"
        if one.parent is not None and one.parent not in catalogue.components:
            yield f"{name}: parent"
        above, parent = {name}, one.parent
        while parent is not None and parent in catalogue.components:
            if parent in above:
                yield f"{name}: ring"
                break
            above.add(parent)
            parent = catalogue.components[parent].parent
    for rule in catalogue.rules.rules:
        if rule.component not in catalogue.components or rule.template not in catalogue.templates:
            yield f"{rule.id}: component or template"
        if rule.source is not None and rule.source not in catalogue.sources:
            yield f"{rule.id}: source"


@given(st.one_of(st.just(Catalogue()), catalogues()), catalogues())
def test_the_difference_leads_to_what_is_desired_and_nothing_dangles_on_the_way(
    current: Catalogue, desired: Catalogue
) -> None:
    met = current
    for data in difference(current, desired):
        met = fold(met, data)
        assert list(dangling(met)) == []
    assert met == desired
    assert difference(met, desired) == []


@given(st.one_of(st.just(Catalogue()), catalogues()), catalogues())
def test_no_event_of_the_difference_can_be_left_out(current: Catalogue, desired: Catalogue) -> None:
    changes = difference(current, desired)
    for left_out in range(len(changes)):
        rest = [data for index, data in enumerate(changes) if index != left_out]
        interim = isinstance(changes[left_out], e.RegionsDefined) and left_out == _first_regions(changes)
        assert _apply(current, rest) != desired or (interim and len(_regions(changes)) == 2)


@given(catalogues())
def test_what_is_as_desired_needs_no_event(catalogue: Catalogue) -> None:
    assert difference(catalogue, catalogue) == []
    assert catalogue_of(difference(Catalogue(), catalogue)) == catalogue


@given(catalogues(), catalogues())
def test_the_tables_of_the_page_hold_the_same_catalogue(first: Catalogue, second: Catalogue) -> None:
    state = memory_state(CATALOGUE_TABLES)
    for number, data in enumerate([*difference(Catalogue(), first), *difference(first, second)]):
        event = e.Event(str(number), "acme", number, number, "config", None, None, False, data)
        evolve(state, event, Output(event))
    assert catalogue_in(state, "acme") == second
    assert catalogue_in(state, "other") == Catalogue()


@given(st.one_of(st.just(Catalogue()), catalogues()), catalogues())
def test_every_change_has_one_line(current: Catalogue, desired: Catalogue) -> None:
    lines = describe_all(current, difference(current, desired))
    assert len(lines) == len(difference(current, desired))
    assert all(line[:2] in {"+ ", "~ ", "- "} and "\n" not in line and "nothing" not in line for line in lines)


def test_other_events_change_no_catalogue() -> None:
    assert fold(Catalogue(), e.DraftApproved("d1")) == Catalogue()
    assert fold(Catalogue(), e.ComponentRemoved("never-there")) == Catalogue()


def test_a_ring_of_parents_on_the_log_is_cut() -> None:
    ring = {
        name: e.ComponentDefined(name, name, parent, 0, [], None, False, "")
        for name, parent in (("a", "b"), ("b", "a"))
    }
    assert {one.component for one in from_the_top(ring)} == {"a", "b"}
    broken, desired = Catalogue(components=ring), Catalogue()
    assert _apply(broken, difference(broken, desired)) == desired


def _apply(catalogue: Catalogue, changes: list[EventData]) -> Catalogue:
    for data in changes:
        catalogue = fold(catalogue, data)
    return catalogue


def _regions(changes: list[EventData]) -> list[int]:
    return [index for index, data in enumerate(changes) if isinstance(data, e.RegionsDefined)]


def _first_regions(changes: list[EventData]) -> int:
    return _regions(changes)[0]

"""The audience index against the rule it answers for, however often subscribers change their minds."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.audience import AudienceIndex, Question, Reached, decide
from schemas.events import Cell, Filter
from schemas.vocabulary import Impact, Kind

PAGE = "acme"
GROUP_OF = {"api": "platform", "web": "platform", "login": None}
REGIONS = st.sampled_from([None, "eu", "us"])

impacts = st.sampled_from(Impact)
kinds = st.sampled_from([Kind.INCIDENT, Kind.MAINTENANCE, Kind.REMINDER])
cells = st.builds(Cell, st.sampled_from(["api", "web", "login", "platform"]), REGIONS)
filters = st.builds(Filter, st.none() | st.lists(cells, min_size=1, max_size=3), impacts, st.lists(kinds, unique=True))
choices = st.lists(st.tuples(st.sampled_from(["ada", "bob", "cyd", "dan"]), st.none() | filters), max_size=12)
reached = st.builds(
    lambda component, region, impact: Reached([component, *filter(None, [GROUP_OF[component]])], region, impact),
    st.sampled_from(list(GROUP_OF)),
    REGIONS,
    impacts,
)
questions = st.builds(Question, kinds, st.lists(reached, max_size=3), impacts)


def _index(chosen: list[tuple[str, Filter | None]]) -> tuple[AudienceIndex, dict[str, Filter | None]]:
    index, known = AudienceIndex(), dict[str, Filter | None]()
    for subscriber, wanted in chosen:
        index.set(PAGE, subscriber, wanted, known.get(subscriber))
        known[subscriber] = wanted
    return index, known


@given(choices, questions)
def test_the_index_tells_exactly_whom_the_rule_tells(chosen: list[tuple[str, Filter | None]], asked: Question) -> None:
    index, known = _index(chosen)
    told = {name for name, wanted in known.items() if wanted is not None and decide(wanted, asked).told}
    assert sorted(index.match(PAGE, asked)) == sorted(told)


@given(choices)
def test_only_those_with_a_filter_are_counted(chosen: list[tuple[str, Filter | None]]) -> None:
    index, known = _index(chosen)
    assert index.count(PAGE) == sum(wanted is not None for wanted in known.values())


@given(choices, kinds)
def test_who_wants_a_kind_is_who_has_it_in_the_filter(chosen: list[tuple[str, Filter | None]], kind: Kind) -> None:
    index, known = _index(chosen)
    for name, wanted in known.items():
        assert index.wants(PAGE, name, kind) is (wanted is not None and kind in wanted.kinds)


def test_an_audience_comes_in_the_order_of_its_coming() -> None:
    everything = Filter(None, Impact.NONE, [Kind.INCIDENT])
    index, _ = _index([("cyd", everything), ("ada", everything), ("bob", everything), ("cyd", None)])
    index.set(PAGE, "cyd", everything)
    assert index.match(PAGE, Question(Kind.INCIDENT, [], Impact.MAJOR)) == ["cyd", "ada", "bob"]

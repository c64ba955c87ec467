"""The audience index against the rule it answers for, however often subscribers change their minds."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.audience import AudienceIndex, Question, Reached, decide
from schemas.events import Cell, Filter
from schemas.vocabulary import Impact, Kind

PAGE = "acme"
CHANNEL_OF = {"ada": "email", "bob": "webhook", "cyd": "email", "dan": "webhook"}
GROUP_OF = {"api": "platform", "web": "platform", "login": None}
REGIONS = st.sampled_from([None, "eu", "us"])

impacts = st.sampled_from(Impact)
kinds = st.sampled_from([Kind.INCIDENT, Kind.MAINTENANCE, Kind.REMINDER])
cells = st.builds(Cell, st.sampled_from(["api", "web", "login", "platform"]), REGIONS)
filters = st.builds(Filter, st.none() | st.lists(cells, min_size=1, max_size=3), impacts, st.lists(kinds, unique=True))
choices = st.lists(st.tuples(st.sampled_from(list(CHANNEL_OF)), st.none() | filters), max_size=12)
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
        index.set(PAGE, subscriber, CHANNEL_OF[subscriber], wanted, known.get(subscriber))
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
def test_of_those_told_before_whoever_wants_the_kind_is_told_again(
    chosen: list[tuple[str, Filter | None]], kind: Kind
) -> None:
    index, known = _index(chosen)
    wanting = {name for name, wanted in known.items() if wanted is not None and kind in wanted.kinds}
    assert set(index.ids(PAGE, index.wanting(PAGE, [*CHANNEL_OF, "nobody"], kind))) == wanting


@given(choices, questions)
def test_an_audience_falls_into_channels_each_in_the_order_of_its_ids(
    chosen: list[tuple[str, Filter | None]], asked: Question
) -> None:
    index, _ = _index(chosen)
    by_channel = list(index.by_channel(PAGE, index.numbers(PAGE, asked)))
    assert by_channel == [
        (channel, found)
        for channel in ("email", "webhook")
        if (found := sorted(name for name in index.match(PAGE, asked) if CHANNEL_OF[name] == channel))
    ]


def test_an_audience_comes_in_the_order_of_its_coming() -> None:
    everything = Filter(None, Impact.NONE, [Kind.INCIDENT])
    index, _ = _index([("cyd", everything), ("ada", everything), ("bob", everything), ("cyd", None)])
    index.set(PAGE, "cyd", "email", everything)
    assert index.match(PAGE, Question(Kind.INCIDENT, [], Impact.MAJOR)) == ["cyd", "ada", "bob"]

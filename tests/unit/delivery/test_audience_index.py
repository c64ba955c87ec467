"""The audience index against the rule it answers for, however often subscribers change their minds."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.audience import Question, Reached, decide
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.page_index import ACTIVE, PAUSED, PENDING, REMOVED, SUPPRESSED, Standing
from schemas.events import Cell, Filter
from schemas.vocabulary import Audience, Impact, Kind

PAGE = "acme"
CHANNEL_OF = {"ada": "email", "bob": "webhook", "cyd": "email", "dan": "webhook"}
GROUP_OF = {"api": "platform", "web": "platform", "login": None}
REGIONS = st.sampled_from([None, "eu", "us"])

impacts = st.sampled_from(Impact)
kinds = st.sampled_from([Kind.INCIDENT, Kind.MAINTENANCE, Kind.REMINDER])
cells = st.builds(Cell, st.sampled_from(["api", "web", "login", "platform"]), REGIONS)
filters = st.builds(Filter, st.none() | st.lists(cells, min_size=1, max_size=3), impacts, st.lists(kinds, unique=True))
audiences = st.sampled_from(Audience)
states = st.sampled_from([ACTIVE, ACTIVE, ACTIVE, PENDING, PAUSED, SUPPRESSED, REMOVED])
choices = st.lists(st.tuples(st.sampled_from(list(CHANNEL_OF)), states, filters, audiences), max_size=12)
reached = st.builds(
    lambda component, region, impact: Reached([component, *filter(None, [GROUP_OF[component]])], region, impact),
    st.sampled_from(list(GROUP_OF)),
    REGIONS,
    impacts,
)
questions = st.builds(Question, kinds, st.lists(reached, max_size=3), impacts, audiences)


Chosen = list[tuple[str, str, Filter, Audience]]
Stands = tuple[str, Filter, Audience]


def _index(chosen: Chosen) -> tuple[AudienceIndex, dict[str, Stands]]:
    index, known = AudienceIndex(), dict[str, Stands]()
    for subscriber, state, wanted, belongs_to in chosen:
        index.put(PAGE, subscriber, CHANNEL_OF[subscriber], state, wanted, belongs_to)
        known[subscriber] = state, wanted, belongs_to
    return index, known


def _active(known: dict[str, Stands]) -> dict[str, tuple[Filter, Audience]]:
    return {name: (wanted, belongs_to) for name, (state, wanted, belongs_to) in known.items() if state == ACTIVE}


@given(choices, questions)
def test_the_index_tells_exactly_whom_the_rule_tells(chosen: Chosen, asked: Question) -> None:
    index, known = _index(chosen)
    told = {name for name, (wanted, whose) in _active(known).items() if decide(wanted, asked, whose).told}
    assert sorted(index.match(PAGE, asked)) == sorted(told)


@given(choices, questions)
def test_the_index_tells_the_same_when_what_is_left_over_was_swept_out(chosen: Chosen, asked: Question) -> None:
    index, known = _index(chosen)
    before = index.match(PAGE, asked)
    for page in index.pages.values():
        page.sweep()
        assert page.waste == 0
        assert len(page.words) == sum(1 + len(wanted.cells or ()) for _, wanted, _ in known.values())
    assert index.match(PAGE, asked) == before
    for name, (state, wanted, belongs_to) in known.items():
        index.put(PAGE, name, CHANNEL_OF[name], state, wanted, belongs_to)
    assert index.match(PAGE, asked) == before


def test_filters_that_are_changed_again_and_again_take_no_more_room() -> None:
    index, room = AudienceIndex(), set[int]()
    for number in range(150_000):
        index.put(PAGE, "ada", "email", ACTIVE, Filter([Cell("api", f"r{number % 3}")], Impact.NONE, []))
        room.add(len(index.pages[PAGE].words))
    assert max(room) < 110_000


@given(choices)
def test_it_gives_back_how_each_stands(chosen: Chosen) -> None:
    index, known = _index(chosen)
    for name, channel in CHANNEL_OF.items():
        found = index.standing(PAGE, name)
        if name not in known:
            assert found is None
            continue
        state, wanted, belongs_to = known[name]
        inorder = [kind for kind in Kind if kind in wanted.kinds]
        assert found == Standing(channel, state, Filter(wanted.cells, wanted.min_impact, inorder), belongs_to)


@given(choices, questions)
def test_whoever_is_withdrawn_had_never_come(chosen: Chosen, asked: Question) -> None:
    index, known = _index(chosen)
    index.withdraw(PAGE, "ada")
    index.withdraw(PAGE, "nobody")
    others = sorted(name for name in index.match(PAGE, asked) if name != "ada")
    assert sorted(index.match(PAGE, asked)) == others
    assert index.standing(PAGE, "ada") is None
    for name, (state, wanted, belongs_to) in known.items():
        index.put(PAGE, name, CHANNEL_OF[name], state, wanted, belongs_to)
    assert index.match(PAGE, asked) == _index(chosen)[0].match(PAGE, asked)


@given(choices)
def test_only_active_ones_are_counted(chosen: Chosen) -> None:
    index, known = _index(chosen)
    assert index.count(PAGE) == len(_active(known))


@given(choices, kinds, audiences)
def test_of_those_told_before_whoever_wants_the_kind_and_may_know_is_told_again(
    chosen: Chosen, kind: Kind, audience: Audience
) -> None:
    index, known = _index(chosen)
    secret = audience is Audience.INTERNAL and kind is not Kind.REMINDER
    wanting = {
        name
        for name, (wanted, whose) in _active(known).items()
        if kind in wanted.kinds and (whose is Audience.INTERNAL or not secret)
    }
    assert set(index.ids(PAGE, index.wanting(PAGE, [*CHANNEL_OF, "nobody"], kind, audience))) == wanting


@given(choices, questions)
def test_an_audience_falls_into_channels_each_in_the_order_of_its_ids(chosen: Chosen, asked: Question) -> None:
    index, _ = _index(chosen)
    numbers = index.numbers(PAGE, asked)
    by_channel = list(index.by_channel(PAGE, numbers))
    assert by_channel == [
        (channel, found)
        for channel in ("email", "webhook")
        if (found := sorted(name for name in index.match(PAGE, asked) if CHANNEL_OF[name] == channel))
    ]
    assert index.counts(PAGE, numbers) == {channel: len(found) for channel, found in by_channel}


def test_an_audience_comes_in_the_order_of_its_coming() -> None:
    everything = Filter(None, Impact.NONE, [Kind.INCIDENT])
    chosen = [("cyd", ACTIVE), ("ada", ACTIVE), ("bob", ACTIVE), ("cyd", SUPPRESSED), ("cyd", ACTIVE)]
    index, _ = _index([(name, state, everything, Audience.PUBLIC) for name, state in chosen])
    assert index.match(PAGE, Question(Kind.INCIDENT, [], Impact.MAJOR)) == ["cyd", "ada", "bob"]


def test_an_answer_is_a_copy() -> None:
    index, _ = _index([("ada", ACTIVE, Filter(None, Impact.NONE, [Kind.REMINDER]), Audience.PUBLIC)])
    index.numbers(PAGE, Question(Kind.REMINDER, [], Impact.NONE)).clear()
    assert index.match(PAGE, Question(Kind.REMINDER, [], Impact.NONE)) == ["ada"]

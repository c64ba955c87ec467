"""The verdict on one subscriber against the plan for all of them, and each of its reasons."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.delivery import plans
from consumers.delivery.audience import Question, Reached, decide
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import (
    ACTIVE,
    PARENTS,
    PENDING,
    PROCESSOR,
    REMOVED,
    SUBSCRIBERS,
    SUPPRESSED,
    Subscriber,
)
from schemas.events import Cell, Change, Filter, Notice
from schemas.vocabulary import Audience, CellStatus, Impact, Kind
from streams.domain.state import memory_state
from tests.unit.delivery.pipeline import NOON, OPENING, PAGE, notice_of

PARENT_OF = {"api": "platform", "web": "platform", "login": ""}
PEOPLE = ("ada", "bob", "cyd", "dan")
API_AND_WEB = Filter([Cell("api"), Cell("web", "eu")], Impact.MAJOR, [Kind.INCIDENT])

kinds = st.sampled_from([Kind.INCIDENT, Kind.MAINTENANCE, Kind.REMINDER])
regions = st.sampled_from([None, "eu", "us"])
cells = st.builds(Cell, st.sampled_from([*PARENT_OF, "platform"]), regions)
filters = st.builds(
    Filter, st.none() | st.lists(cells, min_size=1, max_size=3), st.sampled_from(Impact), st.lists(kinds, unique=True)
)
states = st.sampled_from([ACTIVE, ACTIVE, ACTIVE, PENDING, REMOVED, SUPPRESSED])
audiences = st.sampled_from(Audience)
populations = st.dictionaries(st.sampled_from(PEOPLE), st.tuples(filters, states, audiences))
statuses = st.sampled_from(CellStatus)
changes = st.lists(st.builds(Change, st.sampled_from(list(PARENT_OF)), regions, statuses, statuses), max_size=3)


def subscriber(
    key: str = "ada",
    wanted: Filter = API_AND_WEB,
    state: str = ACTIVE,
    reason: str = "",
    audience: Audience = Audience.PUBLIC,
) -> Subscriber:
    return Subscriber(key, "email", b"sealed", wanted, state, reason, "test", NOON, audience=audience)


def book_of(*people: Subscriber) -> SubscriberBook:
    tables = memory_state(PROCESSOR.tables)
    for component, parent in PARENT_OF.items():
        tables[PARENTS].put(PAGE, component, parent)
    for one in people:
        tables[SUBSCRIBERS].put(PAGE, one.id, one)
    book = SubscriberBook()
    book.load(tables)
    return book


def notice(
    kind: Kind, changed: list[Change], impact: Impact, audience: Audience = Audience.PUBLIC, *, chosen: bool
) -> Notice:
    told = notice_of(OPENING, "outage", NOON)
    return replace(told, kind=kind, changes=changed, impact=impact, impact_chosen=chosen, audience=audience)


@given(
    populations,
    st.sets(st.sampled_from([*PEOPLE, "eve"])),
    st.builds(notice, kinds, changes, st.sampled_from(Impact), audiences, chosen=st.booleans()),
)
@example(
    {"ada": (API_AND_WEB, ACTIVE, Audience.PUBLIC)}, set(),
    notice(
        Kind.INCIDENT,
        [
            Change("api", "eu", CellStatus.OPERATIONAL, CellStatus.DEGRADED),
            Change("web", "eu", CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE),
        ],
        Impact.CRITICAL, chosen=False,
    ),
)  # fmt: skip
def test_the_verdict_on_each_is_the_plan_for_all(
    population: dict[str, tuple[Filter, str, Audience]], told: set[str], published: Notice
) -> None:
    book = book_of(
        *(subscriber(key, wanted, state, audience=whose) for key, (wanted, state, whose) in population.items())
    )
    planned = {one for plan in plans.plan(book, PAGE, published, told).plans for one in plan.recipients}
    asked = plans.asked_of(book, PAGE, published)
    verdicts = {key: plans.verdict(book.subscriber(PAGE, key), asked, told_before=key in told) for key in PEOPLE}
    assert {key for key, verdict in verdicts.items() if verdict.told} == planned
    assert all(verdict.reason for verdict in verdicts.values())


API, WEB = Reached(["api", "platform"], "eu", Impact.MINOR), Reached(["web", "platform"], "eu", Impact.CRITICAL)


def test_a_light_cell_does_not_hide_a_heavy_one() -> None:
    """The index told whom the rule denied: both are asked about one subscriber of two cells, hit differently."""
    asked = Question(Kind.INCIDENT, [API, WEB], Impact.CRITICAL)
    index = AudienceIndex()
    index.put(PAGE, "ada", "email", ACTIVE, API_AND_WEB)
    decision = decide(API_AND_WEB, asked)
    assert (decision.told, decision.reason) == (True, "chose web in eu, which reaches web in eu")
    assert index.match(PAGE, asked) == ["ada"]
    assert [(match.cell, match.weighs) for match in decision.matches] == [(API, False), (WEB, True)]


def test_a_match_says_through_which_group() -> None:
    wanted = Filter([Cell("platform", "eu"), Cell("api")], Impact.NONE, [Kind.INCIDENT])
    found = decide(wanted, Question(Kind.INCIDENT, [API], Impact.MINOR)).matches
    assert [(match.chosen, match.through) for match in found] == [
        (Cell("platform", "eu"), "platform"),
        (Cell("api"), None),
    ]
    everything = Filter(None, Impact.NONE, [Kind.INCIDENT])
    [match] = decide(everything, Question(Kind.INCIDENT, [API], Impact.MINOR)).matches
    assert (match.chosen, match.through) == (None, None)


INCIDENT = Question(Kind.INCIDENT, [API], Impact.MINOR)


@pytest.mark.parametrize(
    ("known", "asked", "before", "told", "reason"),
    [
        (None, INCIDENT, False, False, "had not signed up yet"),
        (subscriber(state=PENDING), INCIDENT, True, False, "the subscriber is pending: not confirmed yet"),
        (subscriber(state=REMOVED, reason="unsubscribed"), INCIDENT, True, False, "the subscriber is removed: unsubscribed"),
        (subscriber(state=SUPPRESSED, reason="no such mailbox"), INCIDENT, True, False, "the subscriber is suppressed: no such mailbox"),
        (subscriber(), INCIDENT, False, False, "chose api, but only from major impact"),
        (subscriber(), INCIDENT, True, True,
            "was told of it before, so is told to the end; else not: chose api, but only from major impact"),
        (subscriber(), Question(Kind.MAINTENANCE, [API], Impact.NONE), True, False, "does not want to hear of: maintenance"),
        (subscriber(), Question(Kind.INCIDENT, [replace(WEB, region="us")], Impact.MAJOR), False, False,
            "chose none of the cells that changed"),
        (subscriber(wanted=Filter(None, Impact.MAJOR, [Kind.INCIDENT])), INCIDENT, False, False,
            "wants to hear of major impact and worse"),
        (subscriber(wanted=Filter(None, Impact.NONE, [Kind.INCIDENT])), INCIDENT, False, True, "wants to hear of everything"),
        (subscriber(wanted=Filter(None, Impact.NONE, [Kind.REMINDER])), Question(Kind.REMINDER, [], Impact.NONE), False, True,
            "is an operator"),
    ],
)  # fmt: skip
def test_each_reason(known: Subscriber | None, asked: Question, before: bool, told: bool, reason: str) -> None:
    verdict = plans.verdict(known, asked, told_before=before)
    assert (verdict.told, verdict.reason) == (told, reason)

"""The books of both engines: what lies in the file, what an index holds instead, and what a rollback takes back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.delivery.audience import Question
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.subscriber_book import IndexedTable, SubscriberBook
from consumers.delivery.subscriber_stage import SubscriberStage
from consumers.delivery.subscribers import PROCESSOR, SUBSCRIBERS, step
from schemas.events import (
    AnyEvent,
    AudienceAssigned,
    Cell,
    ComponentDefined,
    EndpointReinstated,
    EndpointSuppressed,
    Event,
    EventData,
    Filter,
    NoticePublished,
    Pace,
    PaceChosen,
    SubscriberAdded,
    SubscriberChanged,
    SubscriberConfirmed,
    SubscriberPaused,
    SubscriberRemoved,
)
from schemas.vocabulary import Audience, Impact, Kind, Suppression
from streams.domain.processor import Output, Unheard
from streams.domain.state import memory_state
from streams.runtime.replay import new_file
from tests.unit.delivery.pipeline import EVERYTHING, NOON, OPENING, PAGE, SECOND, Pipeline, ScriptedChannel, notice_of
from tests.unit.delivery.why_worlds import ENGINES, Engine, World

PEOPLE = ("ada", "bob", "cyd")
OF_ALL = Question(Kind.INCIDENT, [], Impact.CRITICAL)
filters = st.sampled_from(
    [EVERYTHING, Filter([Cell("api")], Impact.MAJOR, [Kind.INCIDENT]), Filter(None, Impact.NONE, [])]
)
people = st.sampled_from(PEOPLE)
audiences = st.sampled_from(Audience)
facts = st.one_of(
    st.builds(
        SubscriberAdded,
        people,
        st.just("email"),
        st.just(b"sealed"),
        filters,
        st.booleans(),
        st.just("test"),
        audiences,
    ),
    st.builds(AudienceAssigned, people, audiences),
    st.builds(SubscriberConfirmed, people),
    st.builds(SubscriberChanged, people, filters),
    st.builds(SubscriberPaused, people, st.booleans()),
    st.builds(PaceChosen, people, st.just(Pace())),
    st.builds(SubscriberRemoved, people, st.just("unsubscribed")),
    st.builds(EndpointSuppressed, people, st.just("no such mailbox"), st.sampled_from(Suppression)),
    st.builds(EndpointReinstated, people, st.just("bounce"), st.lists(st.sampled_from(Suppression), unique=True)),
)
histories = st.lists(facts, max_size=15)


def event(data: EventData, number: int = 0) -> AnyEvent:
    happened = NOON + number * 7 % 5 * SECOND  # not in the order in which it is heard of
    return Event(f"e{number}", PAGE, happened, NOON, "test", None, None, False, data)


def standing(index: AudienceIndex) -> list[object]:
    return [index.standing(PAGE, one) for one in PEOPLE]


@given(histories)
def test_what_only_an_index_holds_is_folded_as_whole_subscribers_are(happened: list[EventData]) -> None:
    whole, lean = (
        memory_state(PROCESSOR.tables),
        {**memory_state(PROCESSOR.tables), SUBSCRIBERS: IndexedTable(AudienceIndex())},
    )
    for number, data in enumerate(happened):
        outs = Output(event(data, number)), Unheard(event(data, number))
        for state, out in zip((whole, lean), outs, strict=True):
            step(state, event(data, number), out)
        assert outs[0].ignored == outs[1].ignored
    books = SubscriberBook(), SubscriberBook()
    books[0].load(whole)
    books[1].load(lean)
    assert standing(books[0].index) == standing(books[1].index)
    for one in PEOPLE:
        known, held = (book.subscriber(PAGE, one) for book in books)
        kept = None if known is None else replace(known, address=b"", reason="", origin="", created_at=0, pace=None)
        assert held == kept
    assert [one.id for one in books[0].listed(PAGE, "ada", 9)] == [one.id for one in books[1].listed(PAGE, "ada", 9)]


@given(histories, histories)
def test_a_rollback_takes_the_index_back(kept: list[EventData], lost: list[EventData]) -> None:
    file = new_file()
    stage = SubscriberStage(lambda statement, values: file.execute(statement, values).fetchall())
    stage.load(file)
    stage.run(file, [event(data, number) for number, data in enumerate(kept)])
    stage.save(file)
    stage.committed()
    before = standing(stage.index), stage.index.match(PAGE, OF_ALL)
    stage.run(file, [event(data) for data in lost])
    stage.load(file)
    assert (standing(stage.index), stage.index.match(PAGE, OF_ALL)) == before
    fresh = SubscriberStage()
    fresh.load(file)
    assert standing(fresh.index) == before[0]
    stage.run(file, [event(data) for data in lost])
    fresh.run(file, [event(data) for data in lost])
    assert standing(fresh.index) == standing(stage.index)
    file.close()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path, ScriptedChannel())
    yield made
    made.close()


def test_whoever_is_not_in_memory_is_read_off_the_file(mail: Pipeline) -> None:
    keys = sorted(mail.subscribe(f"{number}@example.com") for number in range(5))
    mail.backend.settle()
    book = mail.backend.subscribers.book
    known = [book.subscriber(PAGE, key) for key in keys]
    listed = book.listed(PAGE, None, 9)
    mail.backend.log.submit(lambda _: mail.backend.subscribers.tables[SUBSCRIBERS].shrink(0)).result()
    assert not mail.backend.subscribers.tables[SUBSCRIBERS].rows(PAGE)
    assert [book.subscriber(PAGE, key) for key in keys] == known == listed
    assert book.listed(PAGE, keys[1], 2) == known[2:4]
    assert book.subscriber(PAGE, "nobody") is None
    mail.append(SubscriberRemoved(keys[0], "unsubscribed"))
    changed = book.subscriber(PAGE, keys[0])
    assert changed is not None
    assert changed.state == "removed"
    assert book.index.count(PAGE) == 4


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    kind: Callable[[Path], Engine] = request.param
    made = World(kind(tmp_path))
    yield made
    made.close()


def test_who_chose_a_group_hears_of_components_that_join_it_later(world: World) -> None:
    of_group = world.subscribe(Filter([Cell("stores")], Impact.NONE, [Kind.INCIDENT]))
    in_one = world.subscribe(Filter([Cell("stores", "eu")], Impact.NONE, [Kind.INCIDENT]))
    elsewhere = world.subscribe(Filter([Cell("stores", "us")], Impact.NONE, [Kind.INCIDENT]))

    def told(subject: str) -> list[str]:
        world.say(NoticePublished(notice_of(OPENING, subject, world.now, [Cell("shelf", "eu")])))
        found, _ = world.deps.deliveries.list(PAGE, subject, None, 99)
        return sorted(one.subscriber for one in found)

    world.say(ComponentDefined("stores", "Stores", None, 9, [], None, False, ""))
    world.say(ComponentDefined("shelf", "Shelf", None, 10, ["eu", "us"], None, False, ""))
    assert told("before") == []
    world.say(ComponentDefined("shelf", "Shelf", "stores", 10, ["eu", "us"], None, False, ""))
    assert told("within") == sorted((of_group, in_one))
    world.say(ComponentDefined("shelf", "Shelf", None, 10, ["eu", "us"], None, False, ""))
    assert told("after") == []
    assert elsewhere not in told("again")

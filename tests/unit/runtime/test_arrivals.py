"""What comes by two ways is folded once, in the log's order, however the ways overtake each other."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.arrivals import Arrivals
from streams.runtime.partition_steps import Message

PLACE = ("tocsin.pages", 3)
OTHER = ("tocsin.pages", 4)


def _message(offset: int) -> Message:
    return Message(offset, "T", b"%d" % offset)


def _begun(offset: int = 0) -> Arrivals:
    arrivals = Arrivals()
    arrivals.begin({PLACE: offset})
    return arrivals


def _offsets(messages: list[Message]) -> list[int]:
    return [message.offset for message in messages]


@given(
    st.integers(0, 5),
    st.lists(st.one_of(st.integers(1, 6), st.sets(st.integers(0, 40)).map(frozenset)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_each_comes_once_and_in_order(start: int, steps: list[int | frozenset[int]], random: Random) -> None:
    arrivals, read, found = _begun(start), start, []
    for step in steps:
        if isinstance(step, int):
            for offset in range(read, read + step):  # a consumer brings everything, in order
                if arrivals.is_new(PLACE, offset):
                    found += arrivals.fetched(PLACE, _message(offset))
            read += step
        else:
            for offset in random.sample(sorted(step), len(step)):
                found += arrivals.appended(PLACE, _message(offset))
    for offset in range(read, 60):
        if arrivals.is_new(PLACE, offset):
            found += arrivals.fetched(PLACE, _message(offset))
    assert _offsets(found) == list(range(start, 60))
    assert all(message.frame == b"%d" % message.offset for message in found)


def test_what_is_appended_next_needs_no_fetch() -> None:
    arrivals = _begun(5)
    assert _offsets(arrivals.appended(PLACE, _message(5))) == [5]
    assert _offsets(arrivals.appended(PLACE, _message(7))) == []
    assert _offsets(arrivals.appended(PLACE, _message(6))) == [6, 7]
    assert not arrivals.is_new(PLACE, 7)
    assert arrivals.is_new(PLACE, 8)


def test_offsets_need_not_be_contiguous() -> None:
    arrivals = _begun(5)
    assert arrivals.appended(PLACE, _message(9)) == []
    assert _offsets(arrivals.fetched(PLACE, _message(8))) == [8, 9]
    assert _offsets(arrivals.fetched(PLACE, _message(12))) == [12]


def test_what_the_consumer_passed_is_forgotten() -> None:
    arrivals = _begun()
    assert arrivals.appended(PLACE, _message(3)) == []
    assert _offsets(arrivals.fetched(PLACE, _message(7))) == [7]
    assert arrivals.appended(PLACE, _message(3)) == []
    assert _offsets(arrivals.appended(PLACE, _message(8))) == [8]


def test_a_place_that_was_not_begun_takes_only_what_is_fetched() -> None:
    arrivals = _begun()
    assert arrivals.appended(OTHER, _message(0)) == []
    assert _offsets(arrivals.fetched(OTHER, _message(4))) == [4]
    assert _offsets(arrivals.appended(OTHER, _message(5))) == [5]
    arrivals.begin({PLACE: 2})
    assert arrivals.is_new(OTHER, 0)


def test_only_so_many_are_kept_early() -> None:
    arrivals = _begun()
    for offset in range(1, 3_000):
        assert arrivals.appended(PLACE, _message(offset)) == []
    found = _offsets(arrivals.fetched(PLACE, _message(0)))
    assert found == list(range(len(found)))
    assert len(found) < 2_000
    assert arrivals.is_new(PLACE, len(found))

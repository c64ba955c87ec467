"""Many threads share a look, and none gets one that began before it asked."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier, Event, Lock

import pytest

from streams.runtime.shared_look import SharedLook


def test_an_answer_is_never_older_than_the_question() -> None:
    clock, ticking = count(), Lock()

    def now() -> int:
        with ticking:
            return next(clock)

    look = SharedLook(now)

    def ask(_: int) -> bool:
        asked = now()
        return look.at_least_as_new() > asked

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(2_000)))


def test_those_who_come_while_it_is_asked_share_the_next_answer() -> None:
    begun, go_on = Event(), Event()
    answers = count(1)

    def slowly() -> int:
        answer = next(answers)
        if answer == 1:
            begun.set()
            go_on.wait()
        return answer

    look = SharedLook(slowly)
    drawn = Barrier(8)
    ticket = look._ticket

    def counted() -> int:
        found = ticket()
        if found > 1:
            drawn.wait()
        return found

    look._ticket = counted  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(look.at_least_as_new)
        begun.wait()
        others = [threads.submit(look.at_least_as_new) for _ in range(7)]
        drawn.wait()
        go_on.set()
        assert first.result() == 1
        assert [other.result() for other in others] == [2] * 7


def test_what_it_raises_is_raised_to_each_and_the_next_asks_again() -> None:
    failing = [OSError("away"), OSError("away")]

    def look() -> str:
        if failing:
            raise failing.pop()
        return "there"

    shared = SharedLook(look)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            shared.at_least_as_new()
    assert shared.at_least_as_new() == "there"

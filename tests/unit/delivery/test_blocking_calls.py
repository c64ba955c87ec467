"""Calls that block are given up in time, and one provider's threads are nobody else's."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consumers.delivery.net.threads import BlockingCalls
from consumers.delivery.outcome import InDoubt, Outcome, Retry, Sent


class Hanging:
    """A call that hangs until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> Outcome:
        self.began.set()
        assert self.let_go.wait(10)
        return Sent()


@asynccontextmanager
async def calls(threads: int, timeout: float) -> AsyncIterator[tuple[BlockingCalls, Hanging]]:
    made, hanging = BlockingCalls("slow", threads, timeout), Hanging()
    try:
        yield made, hanging
    finally:
        hanging.let_go.set()
        await made.close()


async def test_what_hangs_is_in_doubt_and_what_no_thread_took_is_not() -> None:
    async with calls(1, 0.1) as (blocking, hanging):
        assert await blocking.run(hanging) == InDoubt("no answer within the time allowed")
        assert await blocking.run(Sent) == Retry("all connections are busy")


async def test_waiting_for_a_thread_is_no_part_of_the_time() -> None:
    async with calls(1, 10) as (blocking, hanging):
        first = asyncio.create_task(blocking.run(hanging))
        second = asyncio.create_task(blocking.run(Sent))
        await asyncio.to_thread(hanging.began.wait, 10)
        assert not second.done()
        hanging.let_go.set()
        assert [await first, await second] == [Sent(), Sent()]


async def test_the_loop_goes_on_meanwhile() -> None:
    async with calls(2, 10) as (blocking, hanging):
        first = asyncio.create_task(blocking.run(hanging))
        await asyncio.to_thread(hanging.began.wait, 10)
        assert await blocking.run(Sent) == Sent()
        assert not first.done()
        hanging.let_go.set()
        assert await first == Sent()


async def test_who_is_cancelled_sends_nothing_later() -> None:
    sent = []

    def noted() -> Outcome:
        sent.append(True)
        return Sent()

    async with calls(1, 0.1) as (blocking, hanging):
        await blocking.run(hanging)  # its thread is kept
        waiting = asyncio.create_task(blocking.run(noted))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        hanging.let_go.set()
        while await blocking.run(Sent) != Sent():  # calls begin in their order: had it been kept, it would have begun
            pass
    assert sent == []

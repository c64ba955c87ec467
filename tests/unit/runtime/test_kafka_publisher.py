"""Callers that wait at once share an append, each is answered for its own, and one's fault is not the others'."""

import asyncio
from collections.abc import Sequence
from threading import Event as Gate

import pytest

from schemas.events import AnyEvent, Event, PromiseReminded
from streams.log.memory import MemoryEventLog
from streams.log.port import Appended, LogUnavailableError, Record, RecordTooLargeError
from streams.runtime.kafka_publisher import _AT_ONCE, KafkaPublisher


class SlowLog(MemoryEventLog):
    """A log whose appends wait for a gate, and which refuses what is named ``large``."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.appends: list[list[str]] = []

    def append(self, records: Sequence[Record]) -> list[Appended]:
        self.appends.append([record.id for record in records])
        self.gate.wait(30)
        if any(record.id.startswith("large") for record in records):
            raise RecordTooLargeError("too large")
        return super().append(records)


def event(identifier: str, page: str = "acme") -> AnyEvent:
    return Event(identifier, page, 1, 1, "ops", None, None, drill=False, data=PromiseReminded("i", 1))


async def _begun(log: SlowLog, count: int) -> None:
    while len(log.appends) < count:  # noqa: ASYNC110 -- the log is asked in threads that know no loop
        await asyncio.sleep(0.001)


async def test_who_waits_leaves_together_and_is_answered_for_its_own() -> None:
    log = SlowLog()
    publisher = KafkaPublisher(log)
    first = [asyncio.create_task(publisher.publish([event(f"first-{number}")])) for number in range(_AT_ONCE)]
    await _begun(log, _AT_ONCE)
    rest = [asyncio.create_task(publisher.publish([event(f"a{number}"), event(f"b{number}")])) for number in range(20)]
    await asyncio.sleep(0)
    assert publisher.waiting == 20
    log.gate.set()
    await asyncio.gather(*first)
    appended = await asyncio.gather(*rest)
    assert len(log.appends) < _AT_ONCE + 20
    assert (publisher.appended, publisher.waiting) == (_AT_ONCE + 40, 0)
    for number, places in enumerate(appended):
        found = [log.read("tocsin.pages", place.partition, place.offset, 1)[0].record.id for place in places]
        assert found == [f"a{number}", f"b{number}"]
    publisher.close()


async def test_a_record_that_is_too_large_fails_its_own_caller_only() -> None:
    log = SlowLog()
    publisher = KafkaPublisher(log)
    first = [asyncio.create_task(publisher.publish([event(f"first-{number}")])) for number in range(_AT_ONCE)]
    await _begun(log, _AT_ONCE)
    names = ["small", "large", "fine"]
    rest = [asyncio.create_task(publisher.publish([event(name)])) for name in names]
    await asyncio.sleep(0)
    log.gate.set()
    await asyncio.gather(*first)
    small, large, fine = await asyncio.gather(*rest, return_exceptions=True)
    assert isinstance(large, RecordTooLargeError)
    assert isinstance(small, list)
    assert isinstance(fine, list)
    assert names in log.appends, "they left together at first"
    publisher.close()


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    log = SlowLog()
    publisher = KafkaPublisher(log)
    first = asyncio.create_task(publisher.publish([event("first")]))
    await _begun(log, 1)
    first.cancel()
    log.gate.set()
    assert len(await publisher.publish([event("second")])) == 1
    assert await publisher.publish([]) == []
    publisher.close()


async def test_a_log_that_is_away_is_said_to_be() -> None:
    log = MemoryEventLog()
    publisher = KafkaPublisher(log)
    log.close()
    with pytest.raises(LogUnavailableError):
        await publisher.publish([event("one")])
    publisher.close()
    with pytest.raises(LogUnavailableError):
        await publisher.publish([event("two")])

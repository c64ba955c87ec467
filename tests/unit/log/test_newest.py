"""The newest records of a log without one order, against sorting all of it."""

from hypothesis import given
from hypothesis import strategies as st

from streams.log.memory import MemoryEventLog
from streams.log.newest import newest
from streams.log.port import Record

TOPICS = {"tocsin.alerts": 3, "tocsin.pages": 2}
TYPES = ("A", "B", "C")


@given(
    st.lists(st.tuples(st.sampled_from(sorted(TOPICS)), st.integers(0, 9), st.sampled_from(TYPES)), max_size=60),
    st.one_of(st.none(), st.sets(st.sampled_from(TYPES))),
    st.integers(0, 70),
)
def test_the_newest_are_the_last_of_all(told: list[tuple[str, int, str]], types: set[str] | None, count: int) -> None:
    log = MemoryEventLog(TOPICS)
    log.append(
        [Record(topic, f"k{key}", f"{at:032x}", kind, at, bytes(8), b"x") for at, (topic, key, kind) in enumerate(told)]
    )
    found, ends = newest(log, TOPICS, types, count)
    everything = [each for each in log.scan(None, 1_000)[0] if types is None or each.record.type in types]
    assert found == everything[len(everything) - min(count, len(everything)) :]
    assert ends == {(topic, partition): end for topic in TOPICS for partition, end in log.end(topic).items()}

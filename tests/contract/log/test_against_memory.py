"""Any history of appends, commits and restarts leaves every engine where it leaves the reference in memory."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ids import random_id
from streams.log.memory import MemoryEventLog
from streams.log.port import EventLog, Record
from tests.contract.log.engines import PARTITIONS, Engine, Site
from tests.contract.log.records import ALERTS, KEYS, PAGES, bare, everything, record, scanned

APPEND = st.lists(
    st.builds(record, st.integers(0, 2**40), st.sampled_from(KEYS), st.sampled_from((ALERTS, PAGES)), st.binary()),
    max_size=6,
)
COMMIT = st.tuples(st.sampled_from(("status", "audit")), st.integers(0, 1), st.integers(0, 9))
HISTORY = st.lists(st.one_of(APPEND, COMMIT, st.just("restart")), max_size=8)


def _without_repeats(records: list[Record], seen: set[str]) -> list[Record]:
    fresh = []
    for each in records:
        if each.id not in seen:
            seen.add(each.id)
            fresh.append(each)
    return fresh


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=HISTORY)
def test_any_history(engine: Engine, tmp_path: Path, history: list[object]) -> None:
    site = Site(tmp_path / random_id(), random_id())
    log, model = engine.open(site), MemoryEventLog(PARTITIONS)
    seen: set[str] = set()
    try:
        for act in history:
            log = _play(act, engine, site, log, model, seen)
        assert _chains(log) == _chains(model)
        assert bare(everything(log)) == bare(everything(model))
        assert sorted(stored.record.id for stored in scanned(log, 4)) == sorted(seen)
        assert [log.positions(group) for group in ("status", "audit")] == [
            model.positions(group) for group in ("status", "audit")
        ]
    finally:
        log.close()


def _play(act: object, engine: Engine, site: Site, log: EventLog, model: EventLog, seen: set[str]) -> EventLog:
    match act:
        case list():
            # Ids that come twice are the duplicate tests' matter: not every engine can look them up.
            fresh = _without_repeats(act, seen)
            log.append(fresh)
            model.append(fresh)
        case (str() as group, int() as partition, int() as position):
            for each in (log, model):
                each.commit(group, {(ALERTS, partition): position})
        case _:
            if engine.durable:
                log.close()
                return engine.open(site)
    return log


def _chains(log: EventLog) -> dict[tuple[str, int], list[bytes]]:
    return {place: [stored.chain for stored in line] for place, line in everything(log).items()}

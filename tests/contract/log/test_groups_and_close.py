from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.log.port import EventLog, LogUnavailableError
from tests.contract.log.records import ALERTS, PAGES, many, record


def test_an_unknown_group_stands_nowhere(log: EventLog) -> None:
    assert log.positions("nobody") == {}


def test_each_group_keeps_its_own_positions(log: EventLog) -> None:
    log.append(many(20))
    log.commit("status", {(ALERTS, 0): 2, (PAGES, 1): 1})
    log.commit("audit", {(ALERTS, 0): 1})
    log.commit("status", {(ALERTS, 0): 3, (ALERTS, 2): 1})
    assert log.positions("status") == {(ALERTS, 0): 3, (ALERTS, 2): 1, (PAGES, 1): 1}
    assert log.positions("audit") == {(ALERTS, 0): 1}


def test_a_position_can_be_moved_back(log: EventLog) -> None:
    log.append(many(20))
    log.commit("replay", {(ALERTS, 0): 3})
    log.commit("replay", {(ALERTS, 0): 0})
    assert log.positions("replay") == {(ALERTS, 0): 0}


def test_nothing_to_commit(log: EventLog) -> None:
    log.commit("idle", {})
    assert log.positions("idle") == {}


def test_groups_may_commit_at_once(log: EventLog) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: log.commit(f"group-{number}", {(ALERTS, 0): number}), range(8)))
    assert [log.positions(f"group-{number}") for number in range(8)] == [{(ALERTS, 0): number} for number in range(8)]


def test_a_closed_log_is_unavailable(log: EventLog) -> None:
    log.append(many(3))
    log.close()
    log.close()
    for call in (
        lambda: log.append([record(9)]),
        lambda: log.read(ALERTS, 0, 0, 1),
        lambda: log.end(ALERTS),
        lambda: log.scan(None, 1),
        lambda: log.find(record(1).id),
        lambda: log.positions("group"),
        lambda: log.commit("group", {(ALERTS, 0): 1}),
    ):
        with pytest.raises(LogUnavailableError):
            call()

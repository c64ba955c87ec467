from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.ids import random_id
from streams.log.port import EventLog
from tests.contract.log.engines import ENGINES, Engine, Site

OpenLog = Callable[[], EventLog]


@pytest.fixture(params=[pytest.param(each, id=each.name, marks=each.marks) for each in ENGINES])
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.param
    if reason := chosen.gaps.get(request.node.originalname):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError))
    return chosen


@pytest.fixture
def open_log(engine: Engine, tmp_path: Path) -> Iterator[OpenLog]:
    """Open the test's log, again and again where it wants; all of them are closed in the end."""
    site = Site(tmp_path, random_id())
    opened: list[EventLog] = []

    def open_it() -> EventLog:
        opened.append(engine.open(site))
        return opened[-1]

    yield open_it
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: OpenLog) -> EventLog:
    return open_log()

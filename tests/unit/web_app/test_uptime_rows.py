"""The rows that the embedded engine keeps of uptime say what a fold of the same log says."""

from datetime import date

from consumers.reliability.past import FoldedPast, StoredPast
from consumers.reliability.uptime import RELIABILITY
from schemas.vocabulary import CellStatus
from streams.domain.processor import Output
from streams.domain.state import memory_state
from streams.log.port import event_of
from tests.builders.views import HOUR
from tests.builders.web_world import PAGE, WebWorld, opened, resolved


def test_the_stored_past_is_the_folded_one(world: WebWorld) -> None:
    for rank, status in enumerate([CellStatus.MAJOR_OUTAGE, CellStatus.PARTIAL_OUTAGE, CellStatus.DEGRADED]):
        world.tell(opened(str(rank), "web/us", status), opened(f"{rank} login", "login", status))
        world.now += 20 * HOUR
        world.tell(resolved(str(rank)))
    tables = memory_state(RELIABILITY.tables)
    for stored in world.log.read_all(0, 10_000):
        event = event_of(stored.record)
        if event.type in RELIABILITY.types:
            RELIABILITY.step(tables, event, Output(event))
    for last in (date(2026, 11, 18), date(2026, 11, 19), date(2026, 12, 31)):
        window = PAGE, date(2026, 11, 18), last
        assert StoredPast(world.log.query).past(*window) == FoldedPast(tables).past(*window)
    whole = FoldedPast(tables).past(PAGE, date(2026, 11, 18), date(2026, 12, 31))
    assert len(whole.lost["web/us"]) == 4

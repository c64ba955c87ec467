"""A processor that is easily checked: it counts the alerts of each instance and says each new count."""

from schemas.events import AlertRefreshed, AnyEvent, PromiseReminded
from schemas.topics import Topic
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec

ALERTS = Topic("tocsin.alerts", 4, (AlertRefreshed,))
PAGES = Topic("tocsin.pages", 4, (PromiseReminded,))
TOPICS = (ALERTS, PAGES)


def _count(state: State, event: AnyEvent, out: Output) -> None:
    data = event.data
    assert isinstance(data, AlertRefreshed)
    number = (state["counts"].get(event.page, data.fingerprint) or 0) + 1
    state["counts"].put(event.page, data.fingerprint, number)
    out.emit(PromiseReminded(data.fingerprint, number), event.occurred_at)


COUNTING = Processor(
    name="counting",
    topics=(ALERTS.name,),
    types=frozenset({"AlertRefreshed"}),
    tables=(TableSpec("counts", int),),
    step=_count,
)

"""A processor that is easily checked: it counts the alerts of each instance, says each count, and wants to be woken.

It wants that at ``expires_at`` of an alert; being woken counts as an alert of the instance ``woken``.
"""

from collections.abc import Iterable

from schemas import events as e
from schemas.codec import frame
from schemas.events import AnyEvent, Event, Micros
from schemas.ids import derive
from schemas.topics import instance_key
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec
from streams.log.port import EventLog, record_of
from streams.runtime.partition_steps import Message

ALERTS, PAGES = "tocsin.alerts", "tocsin.pages"
PARTITIONS = {ALERTS: 4, PAGES: 4}
COUNTS = "counts"
PAGE = "acme"
BASE: Micros = 1_790_000_000_000_000


def _count(state: State, event: AnyEvent, out: Output) -> None:
    match event.data:
        case e.AlertRefreshed(fingerprint=fingerprint, expires_at=expires_at):
            _add(state, event, fingerprint, out)
            out.wake(f"lease:{fingerprint}", expires_at)
        case e.TimerFired(timer=timer):
            _add(state, event, f"{timer}:woken", out)
        case _:
            out.ignore("not counted")


def _add(state: State, event: AnyEvent, name: str, out: Output) -> None:
    number = (state[COUNTS].get(event.page, name) or 0) + 1
    state[COUNTS].put(event.page, name, number)
    out.emit(e.PromiseReminded(name, number), event.occurred_at)


COUNTING = Processor(
    name="counting",
    topics=(ALERTS,),
    types=frozenset({"AlertRefreshed", "TimerFired"}),
    tables=(TableSpec(COUNTS, int),),
    step=_count,
    timer_key=lambda page, timer: instance_key(page, "prom", timer.removeprefix("lease:")),
)


def alert(number: int, name: str, expires_at: Micros = BASE) -> AnyEvent:
    """Return the ``number``-th alert, of the instance ``name``."""
    data = e.AlertRefreshed("prom", name, "e1", expires_at)
    at = BASE + number
    return Event(derive("alert", str(number)), PAGE, at, at, "source:prom", None, None, drill=False, data=data)


def append(log: EventLog, events: Iterable[AnyEvent]) -> None:
    log.append([record_of(event) for event in events])


def messages(log: EventLog, topic: str, partition: int, start: int = 0) -> list[Message]:
    """Return what lies in a partition, as a worker is given it."""
    return [
        Message(
            stored.offset,
            stored.record.type,
            frame(stored.record.fingerprint, stored.record.body),
            stored.record.origin,
        )
        for stored in log.read(topic, partition, start, 100_000)
    ]

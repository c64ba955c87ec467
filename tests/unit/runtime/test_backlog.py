"""How far folds are behind: by events that they want, and by the age of the oldest."""

from schemas.events import AlertRefreshed, AnyEvent, Event, PromiseReminded, TimerFired
from schemas.topics import ALERTS
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.log.memory import MemoryEventLog
from streams.log.port import record_of
from streams.runtime.backlog import NOTHING, Backlog, Behind, worst
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.state_store import Changes

TOPIC = ALERTS.name


def refreshed(name: str, at: int) -> AnyEvent:
    data = AlertRefreshed("prom", name, "e", at)
    return Event(f"{name}-{at}", "acme", at, at, "source:prom", None, None, drill=False, data=data)


def test_what_lies_behind_the_positions_is_counted() -> None:
    log, store = MemoryEventLog(), MemoryStateStore()
    backlog = Backlog(log, store)
    assert backlog.of([EPISODES, PAGES]) == {"episodes": NOTHING, "pages": NOTHING}
    assert worst(backlog.of([EPISODES, PAGES])) is None

    placed = log.append([record_of(refreshed(f"i{number % 20}", 1_000 + number)) for number in range(100)])
    assert backlog.of([EPISODES, PAGES]) == {"episodes": Behind(100, 1_000), "pages": NOTHING}
    assert worst(backlog.of([EPISODES, PAGES])) == ("episodes", 1_000)

    first = placed[0].partition
    end = log.end(TOPIC)[first]
    assert store.commit("episodes", (TOPIC, first), 0, end, Changes())
    left = backlog.of([EPISODES])["episodes"]
    assert left.records == 100 - end
    assert left.oldest is not None
    assert left.oldest > 1_000
    assert backlog.of([EPISODES], [first]) == {"episodes": NOTHING}, "of these partitions only"


def test_what_nobody_wants_is_no_work() -> None:
    log, store = MemoryEventLog(), MemoryStateStore()
    foreign: AnyEvent = Event("one", "acme", 1, 1, "ops", None, None, drill=False, data=PromiseReminded("i", 1))
    log.append([record_of(foreign, topic=TOPIC, key="acme")])
    assert Backlog(log, store).of([EPISODES]) == {"episodes": NOTHING}
    timer: AnyEvent = Event("t", "acme", 2, 2, "tocsin", None, None, drill=False, data=TimerFired("episodes", "x", 2))
    log.append([record_of(timer, topic=TOPIC, key="acme")])
    assert Backlog(log, store).of([EPISODES]) == {"episodes": Behind(1, 2)}

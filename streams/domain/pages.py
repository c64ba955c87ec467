"""The processor of a page: folds its facts, and decides what alerts, approvals and the clock bring about.

One step is: apply the event if it is a fact; tell of it if it is news for customers; then decide what follows.
What is decided is emitted as facts that take effect where the log puts them.
"""

from schemas import events as e
from schemas.events import AnyEvent
from schemas.topics import PAGES as PAGES_TOPIC
from streams.domain import alarms, clockwork, drafting, page
from streams.domain.groups import Attachment, Group
from streams.domain.notices import notice_of
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec

GROUP_TABLES = (
    TableSpec(alarms.GROUPS, Group),
    TableSpec(alarms.ATTACHED, Attachment, lazy=True),
    TableSpec(alarms.HELD, e.EpisodeOpened),
    TableSpec(alarms.UNROUTED, alarms.UnroutedAlarm),
    TableSpec(alarms.OWNERS, str),
)


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one event of ``tocsin.pages``."""
    match event.data:
        case e.EpisodeOpened() as opened:
            alarms.opened(state, event, opened, out)
        case e.EpisodeChanged() as changed:
            alarms.changed(state, event, changed, out)
        case e.EpisodeClosed() as closed:
            alarms.closed(state, event, closed, out)
        case e.TimerFired(timer=timer, due=due):
            clockwork.fired(state, event, timer, due, out)
        case e.CellStatusChanged():
            pass  # said by this very fold
        case _:
            _fact(state, event, out)


def _fact(state: State, event: AnyEvent, out: Output) -> None:
    transitions = page.evolve(state, event, out)
    if out.ignored is not None:
        return
    for component, region, old, new, at in transitions:
        out.emit(e.CellStatusChanged(component, region, old, new), at)
    if (notice := notice_of(state, event)) is not None:
        out.emit(e.NoticePublished(notice), event.occurred_at)
    clockwork.applied(state, event, out)
    drafting.applied(state, event, out)
    alarms.applied(state, event, out)


def _prefetch(event: AnyEvent) -> list[tuple[str, str, str]]:
    match event.data:
        case e.EpisodeOpened(episode=episode) | e.EpisodeChanged(episode=episode) | e.EpisodeClosed(episode=episode):
            return [(alarms.ATTACHED, event.page, episode)]
        case _:
            return []


PAGES = Processor(
    name="pages",
    topics=(PAGES_TOPIC.name,),
    types=page.FACT_TYPES | {"EpisodeOpened", "EpisodeChanged", "EpisodeClosed", "TimerFired"},
    tables=(*page.PAGE_TABLES, *GROUP_TABLES),
    step=step,
    prefetch=_prefetch,
)

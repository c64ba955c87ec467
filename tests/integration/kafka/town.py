"""Many pages with the same catalogue, and monitors that speak to them: a load for all real processors."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from producers.intake.judging import Origin, Verdicts, keys_of
from schemas import events as e
from schemas.events import AnyEvent, Event, EventData
from schemas.ids import derive
from schemas.vocabulary import AlertStatus, Publish
from streams.domain.episodes import EPISODES, INSTANCES
from streams.log.port import EventLog, record_of
from streams.runtime.clock import system_clock
from tests.builders import views
from tests.builders.page_history import TEMPLATES, Fold, alert, rule

DELAY = 2
"""Seconds until what rule ``web`` drafted is published."""
RULES = [rule("api"), rule("web", Publish.AFTER, delay=DELAY, template="slow")]
INSTANCES_OF_ALL = [("api", "eu"), ("api", "us"), ("web", "eu"), ("web", "us")]


class Town:
    """Pages on a log. Times are those of the clock, because timers go by it."""

    def __init__(self, log: EventLog, pages: int) -> None:
        self.pages = [f"page-{number}" for number in range(pages)]
        self._log = log
        self._folds = {page: Fold(EPISODES) for page in self.pages}
        """What the intake would know of alerts."""
        definitions = [each.definition for each in views.ACME]
        catalogue = (
            views.SETTINGS,
            e.RegionsDefined(views.REGIONS),
            *definitions,
            *TEMPLATES.values(),
            e.RulesDefined(RULES),
        )
        self._append([_fact(page, data) for page in self.pages for data in catalogue])

    def fires(self, **fields: Any) -> None:
        """Let every instance of every page fire."""
        self._say(**fields)

    def clears(self) -> None:
        """Let all of them be over."""
        self._say(status=AlertStatus.RESOLVED, ends_at=system_clock())

    def _say(self, **fields: Any) -> None:
        now = system_clock()
        alerts = [replace(alert(*which), starts_at=now, **fields) for which in INSTANCES_OF_ALL]
        events: list[AnyEvent] = []
        for page, fold in self._folds.items():
            keys = keys_of("prom", alerts)
            table = fold.tables[INSTANCES]
            known = {key: found for key in keys if (found := table.get(page, key)) is not None}
            verdicts = Verdicts(Origin(page, "prom", "0" * 64, now), known)
            verdicts.judge_all(keys, alerts)
            events += verdicts.events
            for event in verdicts.events:
                fold.fold(event)
        self._append(events)

    def _append(self, events: Sequence[AnyEvent]) -> None:
        self._log.append([record_of(event) for event in events])


def _fact(page: str, data: EventData) -> AnyEvent:
    now = system_clock()
    identifier = derive("fact", page, type(data).__name__, repr(data))
    return Event(identifier, page, now, now, "config", None, None, drill=False, data=data)

"""What operators say in a history: incidents, drafts, maintenance and the catalogue; some of it makes no sense where it stands."""

from collections.abc import Callable, Sequence
from random import Random

from schemas import events as e
from schemas.events import Effect, EventData, Micros
from schemas.ids import derive
from schemas.vocabulary import CellStatus, Impact, IncidentStatus, MaintenanceStatus
from streams.domain.model import PageView
from tests.parity import world
from tests.parity.alerts import MINUTE, SECOND

_TROUBLE = (CellStatus.DEGRADED, CellStatus.PARTIAL_OUTAGE, CellStatus.MAJOR_OUTAGE)
_MOVES = (
    *[IncidentStatus.IDENTIFIED] * 3, *[IncidentStatus.MONITORING] * 3, *[IncidentStatus.RESOLVED] * 6,
    IncidentStatus.INVESTIGATING, IncidentStatus.POSTMORTEM, IncidentStatus.POSTMORTEM,
)  # fmt: skip


class Operators:
    """The people of one page."""

    def __init__(self, random: Random, page: str) -> None:
        self._random = random
        self._page = page
        self._count = 0

    def say(self, view: PageView, now: Micros) -> EventData:
        """Return a command's fact."""
        acts: Sequence[Callable[[PageView, Micros], EventData | None]] = [
            *[self._opens] * 3, *[self._updates] * 6, *[self._decides] * 6, self._schedules, *[self._maintains] * 3,
        ]  # fmt: skip
        while True:
            said = self._random.choice(acts)(view, now)
            if said is not None:
                return said

    def defines(self, view: PageView) -> EventData:
        """Return a change of the catalogue."""
        random = self._random
        service = random.choice(world.SERVICES)
        match random.randrange(7):
            case 0:
                return e.ComponentRemoved(service)
            case 1 | 2 | 3:
                parent = random.choice([None, "platform", "edge"])
                return world.component(random, service, parent, random.randrange(9))
            case 4:
                return world.settings(random, self._page)
            case 5:
                return random.choice([e.TemplateRemoved("slow"), *world.TEMPLATES.values()])
            case _:
                return world.rules(random)

    def _name(self, kind: str) -> str:
        self._count += 1
        return derive(kind, self._page, str(self._count))

    def _effects(self, statuses: Sequence[CellStatus]) -> list[Effect]:
        cells = self._random.sample(world.CELLS, self._random.randint(0, 3))
        return [Effect(cell.component, cell.region, self._random.choice(statuses)) for cell in cells]

    def _opens(self, view: PageView, now: Micros) -> EventData:
        random = self._random
        return e.IncidentOpened(
            self._name("incident"), self._name("update"), "Trouble", "We **look** into it.",
            random.choice([IncidentStatus.INVESTIGATING] * 4 + [IncidentStatus.RESOLVED]),
            random.choice([None, None, Impact.MINOR, Impact.CRITICAL]), self._effects(_TROUBLE), None, None, None,
            self._promise(now), world.audience(random),
        )  # fmt: skip

    def _promise(self, now: Micros) -> Micros | None:
        random = self._random
        return random.choice([None, now + random.randrange(MINUTE, 60 * MINUTE), now - random.randrange(MINUTE)])

    def _updates(self, view: PageView, now: Micros) -> EventData | None:
        random = self._random
        still = sorted(key for key, incident in view.incidents.items() if incident.is_open)
        named = still if still and random.random() < 0.9 else sorted(view.incidents)
        if not named:
            return None
        return e.IncidentUpdated(
            random.choice([random.choice(named)] * 20 + ["nothing"]), self._name("update"), "News.",
            random.choice(_MOVES), random.choice([None, None, None, Impact.MAJOR]),
            self._effects((*_TROUBLE, CellStatus.OPERATIONAL)), None, self._promise(now),
        )  # fmt: skip

    def _decides(self, view: PageView, now: Micros) -> EventData | None:
        random = self._random
        if not view.drafts:
            return e.DraftApproved("nothing") if random.random() < 0.05 else None
        draft = random.choice(sorted(view.drafts))
        return e.DraftApproved(draft) if random.random() < 0.7 else e.DraftDismissed(draft, "no")

    def _schedules(self, view: PageView, now: Micros) -> EventData:
        random = self._random
        starts = now + random.randrange(-MINUTE, 30 * MINUTE)
        ends = starts + random.randrange(-SECOND, 40 * MINUTE)
        affects = self._effects([CellStatus.MAINTENANCE])
        name, update = self._name("maintenance"), self._name("update")
        return e.MaintenanceScheduled(name, update, "Work", "We work.", affects, starts, ends, world.audience(random))

    def _maintains(self, view: PageView, now: Micros) -> EventData | None:
        random = self._random
        still = [key for key, one in sorted(view.maintenances.items()) if one.status is not MaintenanceStatus.COMPLETED]
        named = still if still and random.random() < 0.9 else sorted(view.maintenances)
        if not named:
            return None
        status = random.choice(list(MaintenanceStatus))
        return e.MaintenanceUpdated(random.choice(named), self._name("update"), status, "On it goes.")

"""Views of an invented page, Acme Cloud, in every shape that a renderer must bear. Values only; no log is folded."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from schemas.events import Change, ComponentDefined, Effect, Micros, PageDefined, Region
from schemas.ids import derive
from schemas.vocabulary import (
    IMPACT_OF_STATUS,
    IMPACT_RANK,
    CellStatus,
    Impact,
    IncidentStatus,
    MaintenanceStatus,
)
from streams.domain.model import CellState, Component, Incident, Maintenance, PageView, Update
from streams.domain.rollup import worst

MINUTE: Micros = 60_000_000
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR
NOW: Micros = int(datetime(2026, 11, 18, 14, 20, tzinfo=UTC).timestamp()) * 1_000_000
LONG_AGO: Micros = NOW - 400 * DAY

OPERATIONAL, DEGRADED = CellStatus.OPERATIONAL, CellStatus.DEGRADED
PARTIAL, MAJOR, MASKED = CellStatus.PARTIAL_OUTAGE, CellStatus.MAJOR_OUTAGE, CellStatus.MAINTENANCE

SETTINGS = PageDefined(
    name="Acme Cloud",
    url="https://status.acme.example",
    timezone="Europe/Berlin",
    support_url="https://support.acme.example",
    update_every=1800,
    partial_weight=0.3,
    maintenance_indicator=True,
)
REGIONS = [Region("eu", "Europe"), Region("us", "United States"), Region("ap", "Asia Pacific")]


def micros(text: str) -> Micros:
    """Return an ISO 8601 time as microseconds."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def component(
    name: str,
    title: str = "",
    *,
    parent: str | None = None,
    position: int = 0,
    regions: Sequence[str] = (),
    description: str = "",
    third_party: bool = False,
    created_at: Micros = LONG_AGO,
) -> Component:
    """Return a component; its title follows from its id where none is given."""
    own = ComponentDefined(
        name, title or name.capitalize(), parent, position, list(regions), None, third_party, description
    )
    return Component(own, created_at, created_at)


ACME = [
    component("platform", "Platform", position=0),
    component("api", "API", parent="platform", position=0, regions=["eu", "us", "ap"], description="REST and GraphQL"),
    component("web", "Web app", parent="platform", position=1, regions=["eu", "us"]),
    component("payments", "Payments", position=1, regions=["eu", "us"]),
    component("login", "Login", position=2),
    component("maps", "Maps (by a partner)", position=3, third_party=True),
]


def effect(cell: str, status: CellStatus) -> Effect:
    """Return an effect on ``component`` or ``component/region``."""
    name, _, region = cell.partition("/")
    return Effect(name, region or None, status)


def update(status: str, body: str, at: Micros, *changes: tuple[str, CellStatus, CellStatus]) -> Update:
    """Return an update; each change is a cell's key with its old and new status."""
    made = []
    for cell, old, new in changes:
        name, _, region = cell.partition("/")
        made.append(Change(name, region or None, old, new))
    return Update(derive("update", status, body, str(at)), status, body, at, made, None, "tocsin")


def incident(
    title: str,
    updates: Sequence[Update],
    *,
    effects: Sequence[Effect] = (),
    peak: Impact | None = None,
    promise_at: Micros | None = None,
    drill: bool = False,
) -> Incident:
    """Return an incident that went through ``updates`` (oldest first); its impact follows from their changes."""
    seen = [change.new for each in updates for change in each.changes] + [own.status for own in effects]
    impact = max((IMPACT_OF_STATUS[status] for status in seen), key=IMPACT_RANK.__getitem__, default=Impact.NONE)
    at = {IncidentStatus(each.status): each.at for each in reversed(updates)}
    return Incident(
        id=derive("incident", title, str(updates[0].at)),
        title=title,
        status=IncidentStatus(updates[-1].status),
        chosen_impact=None,
        peak=peak or impact,
        effects={own.cell.key: own for own in effects},
        rule=None,
        component=None,
        started_at=updates[0].at,
        created_at=updates[0].at,
        updated_at=updates[-1].at,
        monitoring_at=at.get(IncidentStatus.MONITORING),
        resolved_at=at.get(IncidentStatus.RESOLVED),
        promise_at=promise_at,
        updates=list(updates),
        drill=drill,
    )


def maintenance(
    title: str,
    status: MaintenanceStatus,
    cells: Sequence[str],
    *,
    starts_at: Micros,
    length: Micros = 2 * HOUR,
    drill: bool = False,
) -> Maintenance:
    """Return a maintenance that came as far as ``status``, with one update for each step."""
    done = list(MaintenanceStatus)[: list(MaintenanceStatus).index(status) + 1]
    times = (starts_at - 5 * DAY, starts_at, starts_at + length - 10 * MINUTE, starts_at + length)
    words = (
        "We will replace network hardware. Short interruptions are possible.",
        "The work has begun.",
        "The work is done and we are checking that all is well.",
        "The maintenance is complete.",
    )
    updates = [update(step.value, text, at) for step, text, at in zip(done, words, times, strict=False)]
    return Maintenance(
        id=derive("maintenance", title, str(starts_at)),
        title=title,
        status=status,
        affects=[effect(cell, MASKED) for cell in cells],
        starts_at=starts_at,
        ends_at=starts_at + length,
        started_at=starts_at if len(done) > 1 else None,
        completed_at=starts_at + length if status is MaintenanceStatus.COMPLETED else None,
        created_at=updates[0].at,
        updated_at=updates[-1].at,
        updates=updates,
        drill=drill,
    )


def view(
    components: Sequence[Component] = ACME,
    *,
    incidents: Sequence[Incident] = (),
    maintenances: Sequence[Maintenance] = (),
    settings: PageDefined = SETTINGS,
    updated_at: Micros = NOW,
) -> PageView:
    """Return a view whose cells follow from its open incidents and active maintenances, drills left out."""
    return PageView(
        page="acme",
        settings=settings,
        regions=REGIONS,
        components={each.definition.component: each for each in components},
        cells=_cells(incidents, maintenances),
        incidents={each.id: each for each in incidents},
        maintenances={each.id: each for each in maintenances},
        drafts={},
        updated_at=updated_at,
        version=7,
    )


def _cells(incidents: Sequence[Incident], maintenances: Sequence[Maintenance]) -> dict[str, CellState]:
    cells: dict[str, CellState] = {}
    for each in incidents:
        for key, own in each.effects.items() if each.is_open and not each.drill else ():
            state = cells.get(key, CellState({}, [], OPERATIONAL, each.started_at))
            cells[key] = replace(
                state, effects=state.effects | {each.id: own.status}, status=worst([state.status, own.status])
            )
    for work in maintenances:
        for own in work.affects if work.is_active and not work.drill else ():
            state = cells.get(own.cell.key, CellState({}, [], OPERATIONAL, work.starts_at))
            cells[own.cell.key] = replace(state, maintenances=[*state.maintenances, work.id], status=MASKED)
    return cells

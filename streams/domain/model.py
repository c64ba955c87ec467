"""What a page is made of, as folded from its events: the entities that projections, rules and renderers share."""

from collections.abc import Mapping

import msgspec

from schemas.events import Cell, Change, ComponentDefined, Effect, Micros, PageDefined, Region
from schemas.vocabulary import Audience, CellStatus, Impact, IncidentStatus, MaintenanceStatus


class Component(msgspec.Struct, frozen=True, gc=False):
    """A component or group with its definition and the times that the read API shows."""

    definition: ComponentDefined
    created_at: Micros
    updated_at: Micros

    @property
    def cells(self) -> list[Cell]:
        """The component's own cells: one for each region, or the one without a region."""
        own = self.definition
        return [Cell(own.component, region) for region in own.regions] or [Cell(own.component)]


class Update(msgspec.Struct, frozen=True, gc=False):
    """One published message. ``at`` is when it was handed to the log."""

    id: str
    status: str
    body: str
    at: Micros
    changes: list[Change]
    promise_at: Micros | None
    actor: str


class Incident(msgspec.Struct, frozen=True, gc=False):
    """An incident with its messages, oldest first.

    ``effects`` is the present effect by cell key, ``peak`` the worst impact that it ever had; ``impact`` is what is
    shown: the one a person chose, or the peak. ``started_at`` is when it began in the world. ``silent`` are the ids of the
    last changes without a message; ``reminded`` is the promise that operators were reminded of since the last update.
    An internal ``audience`` is told and shown what the public is not.
    """

    id: str
    title: str
    status: IncidentStatus
    chosen_impact: Impact | None
    peak: Impact
    effects: dict[str, Effect]
    rule: str | None
    component: str | None
    started_at: Micros
    created_at: Micros
    updated_at: Micros
    monitoring_at: Micros | None
    resolved_at: Micros | None
    promise_at: Micros | None
    updates: list[Update]
    drill: bool
    silent: list[str] = []
    reminded: Micros | None = None
    audience: Audience = Audience.PUBLIC

    @property
    def impact(self) -> Impact:
        """The impact that is shown."""
        return self.chosen_impact or self.peak

    @property
    def is_open(self) -> bool:
        """Whether it is neither resolved nor has its post-mortem."""
        return self.resolved_at is None


class Maintenance(msgspec.Struct, frozen=True, gc=False):
    """A maintenance with its messages, oldest first; ``affects`` names its cells, ``audience`` who knows of it."""

    id: str
    title: str
    status: MaintenanceStatus
    affects: list[Effect]
    starts_at: Micros
    ends_at: Micros
    started_at: Micros | None
    completed_at: Micros | None
    created_at: Micros
    updated_at: Micros
    updates: list[Update]
    drill: bool
    audience: Audience = Audience.PUBLIC

    @property
    def is_active(self) -> bool:
        """Whether it masks its cells now."""
        return self.status in (MaintenanceStatus.IN_PROGRESS, MaintenanceStatus.VERIFYING)


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message that waits for ``approval`` or for its ``delay``; ``incident`` is the one it would update."""

    id: str
    incident: str | None
    rule: str
    component: str
    title: str
    body: str
    status: IncidentStatus
    affects: list[Effect]
    waits_for: str
    publish_at: Micros | None
    started_at: Micros
    created_at: Micros
    updated_at: Micros
    approved: bool
    drill: bool


class CellState(msgspec.Struct, frozen=True, gc=False):
    """What weighs on one cell: effects by incident id, and the maintenances that mask it."""

    effects: dict[str, CellStatus]
    maintenances: list[str]
    status: CellStatus
    since: Micros


class PageView(msgspec.Struct, frozen=True, gc=False):
    """A consistent picture of one page, for renderers. ``cells`` is by cell key; an absent cell is operational.

    ``version`` grows with every change; ``updated_at`` is the recorded_at of the last event that changed the page.
    """

    page: str
    settings: PageDefined
    regions: list[Region]
    components: Mapping[str, Component]
    cells: Mapping[str, CellState]
    incidents: Mapping[str, Incident]
    maintenances: Mapping[str, Maintenance]
    drafts: Mapping[str, Draft]
    updated_at: Micros
    version: int

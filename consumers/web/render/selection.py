"""Which incidents and maintenances a public list holds, and in which order; drills are in none of them."""

from schemas.vocabulary import MaintenanceStatus
from streams.domain.model import Incident, Maintenance, PageView


def incidents(view: PageView) -> list[Incident]:
    """Return the incidents, the newest first."""
    shown = [incident for incident in view.incidents.values() if not incident.drill]
    return sorted(shown, key=lambda incident: (-incident.created_at, incident.id))


def unresolved(view: PageView) -> list[Incident]:
    """Return the open incidents, the newest first."""
    return [incident for incident in incidents(view) if incident.is_open]


def maintenances(view: PageView) -> list[Maintenance]:
    """Return the maintenances, the last to begin first."""
    shown = [maintenance for maintenance in view.maintenances.values() if not maintenance.drill]
    return sorted(shown, key=lambda maintenance: (-maintenance.starts_at, maintenance.id))


def upcoming(view: PageView) -> list[Maintenance]:
    """Return the announced maintenances, the next first."""
    return [each for each in reversed(maintenances(view)) if each.status is MaintenanceStatus.SCHEDULED]


def active(view: PageView) -> list[Maintenance]:
    """Return the maintenances that go on now, the longest running first."""
    return [each for each in reversed(maintenances(view)) if each.is_active]

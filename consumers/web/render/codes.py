"""The public codes of a page's things: what URLs, the v2 API and feeds call them, and how to find them again."""

from collections.abc import Mapping
from typing import TypeVar

from schemas.ids import public_code
from streams.domain.model import Incident, Maintenance, PageView

V = TypeVar("V", Incident, Maintenance)


def page_code(page: str) -> str:
    """Return the code of a page."""
    return public_code(f"{page}/page")


def component_code(page: str, component: str) -> str:
    """Return the code of a component."""
    return public_code(f"{page}/component/{component}")


def incident_code(page: str, incident: str) -> str:
    """Return the code of an incident."""
    return public_code(f"{page}/incident/{incident}")


def maintenance_code(page: str, maintenance: str) -> str:
    """Return the code of a maintenance."""
    return public_code(f"{page}/maintenance/{maintenance}")


def update_code(page: str, update: str) -> str:
    """Return the code of an update."""
    return public_code(f"{page}/update/{update}")


def incident_path(page: str, incident: str) -> str:
    """Return the path of an incident's own page."""
    return f"/incidents/{incident_code(page, incident)}"


def maintenance_path(page: str, maintenance: str) -> str:
    """Return the path of a maintenance's own page."""
    return f"/maintenances/{maintenance_code(page, maintenance)}"


def find_incident(view: PageView, name: str) -> Incident | None:
    """Return the incident with this id or code; None for one that the public does not see."""
    return _find(view.incidents, {incident_code(view.page, key): key for key in view.incidents}, name)


def find_maintenance(view: PageView, name: str) -> Maintenance | None:
    """Return the maintenance with this id or code; None for one that the public does not see."""
    return _find(view.maintenances, {maintenance_code(view.page, key): key for key in view.maintenances}, name)


def _find(things: Mapping[str, V], codes: Mapping[str, str], name: str) -> V | None:
    found = things.get(codes.get(name, name))
    return None if found is None or found.drill else found

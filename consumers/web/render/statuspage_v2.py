"""The public read API of Statuspage v2: a page's view in, the exact bytes out; it adds no key of its own.

Strict clients reject unknown keys, slice times by position and know no regions. So: the key order and formats that
are observed in the wild, a component's status is its worst cell, and nested groups flatten to the outermost one.
https://status.atlassian.com/api shows the documented part.
"""

from collections.abc import Callable, Iterable, Mapping

import orjson

from consumers.web.render import codes, selection
from consumers.web.render.subject import Post, Step, Subject, of_incident, of_maintenance
from consumers.web.render.v2_catalogue import Catalogue, Json
from streams.domain.model import Incident, Maintenance, PageView
from streams.domain.rollup import status_of_page

MOST = 50
"""So many incidents or maintenances a list holds."""


def summary(view: PageView) -> bytes:
    """Return ``/api/v2/summary.json``: everything that is of interest now."""
    catalogue = Catalogue(view)
    return _body(
        catalogue,
        status=_status(view),
        components=catalogue.components(),
        incidents=_incidents(catalogue, selection.unresolved(view)),
        scheduled_maintenances=_maintenances(catalogue, selection.active(view) + selection.upcoming(view)),
    )


def status(view: PageView) -> bytes:
    """Return ``/api/v2/status.json``: the roll-up alone."""
    return _body(Catalogue(view), status=_status(view))


def components(view: PageView) -> bytes:
    """Return ``/api/v2/components.json``: groups and components in one list."""
    catalogue = Catalogue(view)
    return _body(catalogue, components=catalogue.components())


def incidents(view: PageView) -> bytes:
    """Return ``/api/v2/incidents.json``: the 50 newest incidents in any state."""
    catalogue = Catalogue(view)
    return _body(catalogue, incidents=_incidents(catalogue, selection.incidents(view)[:MOST]))


def unresolved(view: PageView) -> bytes:
    """Return ``/api/v2/incidents/unresolved.json``."""
    catalogue = Catalogue(view)
    return _body(catalogue, incidents=_incidents(catalogue, selection.unresolved(view)))


def scheduled_maintenances(view: PageView) -> bytes:
    """Return ``/api/v2/scheduled-maintenances.json``: the last 50 maintenances in any state."""
    catalogue = Catalogue(view)
    return _body(catalogue, scheduled_maintenances=_maintenances(catalogue, selection.maintenances(view)[:MOST]))


def upcoming(view: PageView) -> bytes:
    """Return ``/api/v2/scheduled-maintenances/upcoming.json``: announced ones, the next first."""
    catalogue = Catalogue(view)
    return _body(catalogue, scheduled_maintenances=_maintenances(catalogue, selection.upcoming(view)))


def active(view: PageView) -> bytes:
    """Return ``/api/v2/scheduled-maintenances/active.json``: in progress or being verified."""
    catalogue = Catalogue(view)
    return _body(catalogue, scheduled_maintenances=_maintenances(catalogue, selection.active(view)))


ENDPOINTS: Mapping[str, Callable[[PageView], bytes]] = {
    "/api/v2/summary.json": summary,
    "/api/v2/status.json": status,
    "/api/v2/components.json": components,
    "/api/v2/incidents.json": incidents,
    "/api/v2/incidents/unresolved.json": unresolved,
    "/api/v2/scheduled-maintenances.json": scheduled_maintenances,
    "/api/v2/scheduled-maintenances/upcoming.json": upcoming,
    "/api/v2/scheduled-maintenances/active.json": active,
}
"""Each path with the function that gives its body; all are ``application/json``."""


def _body(catalogue: Catalogue, **content: object) -> bytes:
    return orjson.dumps({"page": catalogue.page()} | content)


def _status(view: PageView) -> Json:
    indicator, description = status_of_page(view)
    return {"indicator": indicator, "description": description}


def _incidents(catalogue: Catalogue, shown: Iterable[Incident]) -> list[Json]:
    return [_subject(catalogue, of_incident(catalogue.view.page, incident)) for incident in shown]


def _maintenances(catalogue: Catalogue, shown: Iterable[Maintenance]) -> list[Json]:
    return [_subject(catalogue, of_maintenance(catalogue.view.page, maintenance)) for maintenance in shown]


def _subject(catalogue: Catalogue, subject: Subject) -> Json:
    url = catalogue.view.settings.url.rstrip("/")
    snapshots = [catalogue.snapshot(component) for component in subject.components]
    body: Json = {
        "id": subject.code,
        "name": subject.title,
        "status": subject.status,
        "created_at": catalogue.stamp(subject.created_at),
        "updated_at": catalogue.stamp(subject.updated_at),
        "monitoring_at": catalogue.stamp_or_null(subject.monitoring_at),
        "resolved_at": catalogue.stamp_or_null(subject.resolved_at),
        "impact": subject.impact,
        "shortlink": url + subject.path,
        "started_at": catalogue.stamp(subject.started_at),
        "page_id": codes.page_code(catalogue.view.page),
        "incident_updates": [_update(catalogue, subject.code, post) for post in subject.posts],
        "components": [snapshot for snapshot in snapshots if snapshot is not None],
    }
    if subject.window is not None:
        start, end = subject.window
        body |= {"scheduled_for": catalogue.stamp(start), "scheduled_until": catalogue.stamp(end)}
    return body


def _update(catalogue: Catalogue, incident: str, post: Post) -> Json:
    at = catalogue.stamp(post.update.at)
    affected = [each for step in post.steps if (each := _affected(catalogue, step)) is not None]
    return {
        "id": post.code,
        "status": post.update.status,
        "body": post.update.body,
        "incident_id": incident,
        "created_at": at,
        "updated_at": at,
        "display_at": at,
        "affected_components": affected or None,
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _affected(catalogue: Catalogue, step: Step) -> Json | None:
    name = catalogue.full_name(step.component)
    if name is None:
        return None
    code = codes.component_code(catalogue.view.page, step.component)
    return {"code": code, "name": name, "old_status": step.old.value, "new_status": step.new.value}

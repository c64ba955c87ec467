"""The JSON body of a webhook in the shape of Atlassian Statuspage's, for receivers that were written for it. Pure.

https://support.atlassian.com/statuspage/docs/enable-webhook-notifications. Ids are those of ``/api/v2``. What a notice does not tell
is what Statuspage says of it where nothing happened; no key is added, because strict receivers refuse what they do not know.
"""

from typing import Any

import orjson

from consumers.delivery.channel import Message
from consumers.delivery.render.card import is_over
from consumers.delivery.render.markdown import cut
from consumers.delivery.render.words import moment, one_line, subject_url, title_of, zone_of
from consumers.web.render import codes
from schemas.events import Micros, Notice
from schemas.vocabulary import CellStatus, IncidentStatus, Kind, MaintenanceStatus
from streams.domain.rollup import ALL_OPERATIONAL, page_status, worst

NAME_LIMIT = 255
CELLS_LIMIT = 200
_DOCUMENTATION = "https://support.atlassian.com/statuspage/docs/enable-webhook-notifications"
_NO_COMPONENT = [{"name": "No components were affected by this update."}]
_ENDED = {IncidentStatus.RESOLVED, MaintenanceStatus.COMPLETED}


def body_of(message: Message, page: str) -> bytes:
    """Return the body for the ``page`` with this id, as UTF-8 JSON; ``message`` is of an incident or a maintenance."""
    notice = message.notice
    return orjson.dumps(
        {
            "meta": {
                "unsubscribe": message.unsubscribe_url,
                "documentation": _DOCUMENTATION,
                "generated_at": _time(notice, notice.published_at),
            },
            "page": _page(notice, page, over=is_over(message)),
            "incident": _incident(message, page),
        }
    )


def _page(notice: Notice, page: str, *, over: bool) -> dict[str, str]:
    """Return the page's status as far as this subject makes it: one component at least is taken to be well."""
    effects = [] if over or _is_announced(notice) else [effect.status for effect in notice.affects]
    status = page_status([*effects, CellStatus.OPERATIONAL]) if effects else ALL_OPERATIONAL
    return {
        "id": codes.page_code(page),
        "status_indicator": status.indicator,
        "status_description": status.description,
    }


def _incident(message: Message, page: str) -> dict[str, Any]:
    notice = message.notice
    now, began = _time(notice, notice.published_at), _time(notice, notice.started_at)
    maintenance = notice.kind is Kind.MAINTENANCE
    until = None if notice.promise_at is None else _time(notice, notice.promise_at)
    code = (codes.maintenance_code if maintenance else codes.incident_code)(page, notice.subject_id)
    told = notice.status == IncidentStatus.POSTMORTEM
    return {
        "name": (("[DRILL] " if message.drill else "") + title_of(notice))[:NAME_LIMIT],
        "status": notice.status,
        "created_at": began,
        "updated_at": now,
        "monitoring_at": now if notice.status == IncidentStatus.MONITORING else None,
        "resolved_at": now if notice.status in _ENDED else None,
        "impact": "maintenance" if maintenance else notice.impact,
        "shortlink": subject_url(notice),
        "postmortem_ignored": False,
        "postmortem_body": cut(notice.body) if told else None,
        "postmortem_body_last_updated_at": now if told else None,
        "postmortem_published_at": now if told else None,
        "postmortem_notified_subscribers": told,
        "postmortem_notified_twitter": False,
        "backfilled": False,
        "scheduled_for": began if maintenance else None,
        "scheduled_until": until if maintenance else None,
        "scheduled_remind_prior": False,
        "scheduled_reminded_at": None,
        "impact_override": notice.impact if notice.impact_chosen else None,
        "scheduled_auto_in_progress": False,
        "scheduled_auto_completed": False,
        "id": code,
        "page_id": codes.page_code(page),
        "incident_updates": [_update(notice, page, code)],
        "components": _components(notice, page),
    }


def _update(notice: Notice, page: str, incident: str) -> dict[str, Any]:
    at = _time(notice, notice.published_at)
    return {
        "status": notice.status,
        "body": cut(notice.body),
        "created_at": at,
        "wants_twitter_update": False,
        "twitter_updated_at": None,
        "updated_at": at,
        "display_at": at,
        "affected_components": _affected(notice, page) or _NO_COMPONENT,
        "deliver_notifications": True,
        "custom_tweet": None,
        "id": codes.update_code(page, notice.update),
        "incident_id": incident,
    }


def _affected(notice: Notice, page: str) -> list[dict[str, str]]:
    """Return each component that the update changes or that stays affected: a component is its worst cell."""
    names, changes = _names(notice), notice.changes[:CELLS_LIMIT]
    changed = {change.component for change in changes}
    found = []
    for component in dict.fromkeys([*(change.component for change in changes), *names]):
        now = worst(effect.status for effect in notice.affects if effect.component == component)
        before = worst(change.old for change in changes if change.component == component)
        after = worst(change.new for change in changes if change.component == component)
        found.append(
            {
                "code": codes.component_code(page, component),
                "name": names.get(component, component),
                "old_status": before if component in changed else now,
                "new_status": worst([now, after]),
            }
        )
    return found


def _components(notice: Notice, page: str) -> list[dict[str, Any]]:
    at = _time(notice, notice.published_at)
    return [
        {
            "status": worst(effect.status for effect in notice.affects if effect.component == component),
            "name": name,
            "created_at": at,
            "updated_at": at,
            "position": position,
            "description": None,
            "showcase": False,
            "id": codes.component_code(page, component),
            "page_id": codes.page_code(page),
            "group_id": None,
        }
        for position, (component, name) in enumerate(_names(notice).items(), start=1)
    ]


def _names(notice: Notice) -> dict[str, str]:
    """Return the components by id, with their names: Statuspage knows no regions."""
    names: dict[str, str] = {}
    for name, effect in zip(notice.components[:CELLS_LIMIT], notice.affects, strict=False):
        known = name.rpartition(" (")[0] if effect.region is not None and name.endswith(")") else name
        names.setdefault(effect.component, one_line(known)[:NAME_LIMIT])
    return names


def _is_announced(notice: Notice) -> bool:
    return notice.status == MaintenanceStatus.SCHEDULED


def _time(notice: Notice, at: Micros) -> str:
    """Return ISO 8601 with milliseconds and the page's offset, ``Z`` where it is none, as Statuspage writes it."""
    try:
        local = moment(at).astimezone(zone_of(notice.timezone))
    except OverflowError:
        local = moment(at)
    text = local.isoformat(timespec="milliseconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text

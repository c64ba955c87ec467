"""The JSON body of a webhook (Standard Webhooks: ``type``, ``timestamp``, ``data``), kept under 20 kB. Pure.

The shape is documented in ``docs/channels.md`` and only ever grows.
"""

from datetime import UTC
from typing import Any

import orjson

from consumers.delivery.channel import Message
from consumers.delivery.render.markdown import cut
from consumers.delivery.render.words import moment, one_line, subject_url, title_of
from schemas.events import Effect, Micros, Notice
from schemas.vocabulary import Kind

SIZE_LIMIT = 20_000
"""Bytes: what Standard Webhooks advises."""
TYPE_OF_KIND = {
    Kind.INCIDENT: "incident.updated",
    Kind.MAINTENANCE: "maintenance.updated",
    Kind.REMINDER: "reminder.due",
    Kind.CONFIRMATION: "subscription.challenge",
}
_TITLE_LIMIT = 500
_LIST_LIMIT = 100
_BODY_LIMIT = 12_000


def payload_of(message: Message) -> bytes:
    """Return the body as UTF-8 JSON of at most 20,000 bytes; long texts and lists are cut, ``truncated`` says so."""
    notice = message.notice
    if notice.kind is Kind.CONFIRMATION:
        return _encoded(message, {"challenge": message.token, "page": _page(notice)})
    limit, items = _BODY_LIMIT, _LIST_LIMIT
    while len(body := _encoded(message, _data(message, limit, items))) > SIZE_LIMIT and (limit or items):
        limit, items = limit // 2, (items if limit > 1000 else items // 2)
    return body


def _encoded(message: Message, data: dict[str, Any]) -> bytes:
    notice = message.notice
    return orjson.dumps({"type": TYPE_OF_KIND[notice.kind], "timestamp": _time(notice.published_at), "data": data})


def _data(message: Message, limit: int, items: int) -> dict[str, Any]:
    notice = message.notice
    body = cut(notice.body, limit)
    return {
        "page": _page(notice),
        _subject(notice): {
            "id": notice.subject_id,
            "title": title_of(notice)[:_TITLE_LIMIT],
            "status": notice.status,
            "impact": notice.impact,
            "url": subject_url(notice),
        },
        "update": {"id": notice.update, "body": body, "published_at": _time(notice.published_at)},
        "affects": [_cell(effect) for effect in notice.affects[:items]],
        "components": [one_line(name)[:_TITLE_LIMIT] for name in notice.components[:items]],
        "started_at": _time(notice.started_at),
        "promise_at": None if notice.promise_at is None else _time(notice.promise_at),
        "over": message.over,
        "drill": message.drill,
        "truncated": len(body) < len(cut(notice.body, len(notice.body)))
        or len(notice.affects) > items
        or len(notice.components) > items,
        "unsubscribe_url": message.unsubscribe_url,
    }


def _subject(notice: Notice) -> str:
    return "maintenance" if notice.kind is Kind.MAINTENANCE else "incident"


def _page(notice: Notice) -> dict[str, str]:
    return {"name": one_line(notice.page_name)[:_TITLE_LIMIT], "url": notice.page_url}


def _cell(effect: Effect) -> dict[str, str | None]:
    return {"component": effect.component, "region": effect.region, "status": effect.status}


def _time(at: Micros) -> str:
    """Return ISO 8601 in UTC with milliseconds and ``Z``."""
    return moment(at).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What all answers of the read API v1 are made of, as OpenAPI shows it; no rules here."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from consumers.web.render.zone import local
from schemas.events import Effect, Micros
from schemas.vocabulary import CellStatus
from streams.domain.model import Update


class Shape(BaseModel):
    """A JSON object of the API. Times are RFC 3339 in UTC."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


def when(at: Micros) -> datetime:
    """Return a time for a shape."""
    return local(at, UTC)


def when_or_none(at: Micros | None) -> datetime | None:
    """Return a time for a shape, or nothing."""
    return None if at is None else when(at)


class CellEffect(Shape):
    """What is told about one cell; ``region`` is null where the component has no regions."""

    component: str
    region: str | None
    status: CellStatus


class CellChange(Shape):
    """What an update changed on one cell."""

    component: str
    region: str | None
    old: CellStatus
    new: CellStatus


class UpdateShape(Shape):
    """One message; ``body`` is Markdown as it was written."""

    id: str
    status: str
    body: str
    at: datetime
    promise_at: datetime | None
    """When the next update was promised."""
    changes: list[CellChange]


class FieldProblem(Shape):
    """One field that is wrong."""

    field: str
    message: str


class Problem(Shape):
    """An error (RFC 9457); ``field`` repeats the first error's for simple readers."""

    type: str
    title: str
    status: int
    detail: str | None = None
    field: str | None = None
    errors: list[FieldProblem] | None = None


def effects_shape(effects: Iterable[Effect]) -> list[CellEffect]:
    """Return effects in the order of their cells."""
    ordered = sorted(effects, key=lambda effect: (effect.component, effect.region or ""))
    return [CellEffect(component=own.component, region=own.region, status=own.status) for own in ordered]


def updates_shape(updates: Iterable[Update]) -> list[UpdateShape]:
    """Return messages, the newest first."""
    return [
        UpdateShape(
            id=update.id,
            status=update.status,
            body=update.body,
            at=when(update.at),
            promise_at=when_or_none(update.promise_at),
            changes=[
                CellChange(component=change.component, region=change.region, old=change.old, new=change.new)
                for change in update.changes
            ],
        )
        for update in reversed(list(updates))
    ]

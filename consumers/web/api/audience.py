"""GET audience and deliveries: whom an update would reach and why, and what became of those that went out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from consumers.web import ports
from consumers.web.api.reading import BAD, MISSING, REFUSED, After, Limit, Reading, ask, cells_of
from consumers.web.api.shape import Shape, when
from schemas.vocabulary import Audience as AudienceOf
from schemas.vocabulary import Impact, NotificationState, Suppression
from streams.domain.audiences import audience_of, hidden, without
from streams.runtime.access import Role
from streams.runtime.problems import not_found


class RecipientShape(Shape):
    """A subscriber; the address is masked."""

    subscriber: str
    channel: str
    address: str


class AudienceShape(Shape):
    """Whom an update would reach."""

    count: int
    by_channel: Mapping[str, int]
    sample: list[RecipientShape]


class ExplanationShape(Shape):
    """Why a subscriber would be told or not."""

    subscriber: str
    told: bool
    reason: str


class DeliveryShape(Shape):
    """One notification and what became of it; the address is masked."""

    notification: str
    incident: str
    """The incident or maintenance that it is about."""
    subscriber: str
    channel: str
    address: str
    state: NotificationState
    at: datetime
    """Since when it is in this state."""
    reason: str | None
    attempts: int
    suppression: Suppression | None
    """Why the address is not told any more today; null where it is."""


class DeliveryList(Shape):
    """A page of notifications; ``next`` goes into ``after``, null at the end."""

    deliveries: list[DeliveryShape]
    next: str | None


class Audience(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["audience"], dependencies=[self.needs(Role.VIEWER)])
        refused = {**BAD, **MISSING, **REFUSED}
        router.get("/audience", responses=refused)(self.audience)
        router.get("/incidents/{incident}/deliveries", responses=refused)(self.deliveries)
        router.get("/deliveries", responses=refused)(self.troubled)
        return router

    def audience(
        self,
        page: str,
        component: Annotated[str | None, Query(description="A component or group; the whole page if absent.")] = None,
        region: Annotated[str | None, Query(description="A region; all if absent.")] = None,
        impact: Annotated[Impact, Query(description="How bad the incident is.")] = Impact.CRITICAL,
        subscriber: Annotated[str | None, Query(description="Explain why this subscriber is told or not.")] = None,
        audience: Annotated[
            AudienceOf | None,
            Query(description="For whom the incident is; absent: the public, unless all of these cells are internal."),
        ] = None,
    ) -> AudienceShape | ExplanationShape:
        """Return who would be told of an incident on these cells, or why one subscriber would be or not."""
        view = self.view(page)
        cells, internal = cells_of(view, component, region), hidden(view.components)
        whose = audience or audience_of([cell.component for cell in cells], internal)
        if whose is AudienceOf.PUBLIC:
            cells = without(cells, internal)
        if subscriber is None:
            return _count(self.deps.audience.count(page, cells, impact, whose))
        found = self.deps.audience.explain(page, subscriber, cells, impact, whose)
        if found is None:
            raise not_found("subscriber")
        return ExplanationShape(subscriber=found.subscriber, told=found.told, reason=found.reason)

    def deliveries(self, page: str, incident: str, after: After = None, limit: Limit = 100) -> DeliveryList:
        """Return the notifications about an incident or maintenance, and what became of them."""
        view = self.view(page)
        if incident not in view.incidents and incident not in view.maintenances:
            raise not_found("incident")
        rows, following = ask(lambda: self.deps.deliveries.list(page, incident, after, limit))
        return DeliveryList(deliveries=[_delivery(row) for row in rows], next=following)

    def troubled(
        self,
        page: str,
        state: Annotated[
            Literal[NotificationState.FAILED, NotificationState.IN_DOUBT],
            Query(description="What failed, or what may have arrived and nobody can tell."),
        ] = NotificationState.FAILED,
        after: After = None,
        limit: Limit = 100,
    ) -> DeliveryList:
        """Return the page's notifications that an operator may have sent after all, of all incidents and maintenances."""
        self.view(page)
        rows, following = ask(lambda: self.deps.deliveries.in_state(page, state, after, limit))
        return DeliveryList(deliveries=[_delivery(row) for row in rows], next=following)


def _count(found: ports.AudienceCount) -> AudienceShape:
    sample = [
        RecipientShape(subscriber=own.subscriber, channel=own.channel, address=own.address) for own in found.sample
    ]
    return AudienceShape(count=found.count, by_channel=found.by_channel, sample=sample)


def _delivery(row: ports.Delivery) -> DeliveryShape:
    return DeliveryShape(
        notification=row.notification,
        incident=row.subject,
        subscriber=row.subscriber,
        channel=row.channel,
        address=row.address,
        state=row.state,
        at=when(row.at),
        reason=row.reason or None,
        attempts=row.attempts,
        suppression=row.suppression,
    )

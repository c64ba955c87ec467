"""GET why: the reasons for which a subscriber was told of an update or not; for operators, and no address is shown whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from consumers.web import ports
from consumers.web.api.reading import BAD, MISSING, REFUSED, Reading
from consumers.web.api.shape import Shape, when
from consumers.web.api.subscribers import CellChoice, FilterShape, choice_shape, filter_shape
from schemas.vocabulary import Audience, Impact, Kind, NotificationState
from streams.runtime.access import Role
from streams.runtime.problems import not_found

_NUMBER_DIGITS = 6
"""Longer ones are ids, of whatever they are made."""


class StandingShape(Shape):
    """How a subscriber stands, or stood."""

    state: str
    reason: str | None
    filter: FilterShape
    audience: Audience


class JudgementShape(Shape):
    """What would be decided."""

    told: bool
    reason: str


class ReachShape(Shape):
    """A changed cell that the subscriber's filter reaches."""

    component: str
    region: str | None
    impact: Impact
    """How badly it is hit."""
    chosen: CellChoice | None
    """The line of the filter that reaches it; null for a filter of everything."""
    through: str | None
    """The group through which it is reached; null where it was chosen itself, or everything."""
    weighs: bool
    """Whether it is hit as badly as the filter asks for."""


class FateShape(Shape):
    """What became of the notification."""

    notification: str
    state: NotificationState
    meaning: str
    """The state in plain words."""
    reason: str | None
    attempts: int
    at: datetime
    superseded_by: str | None
    """The newer update that goes, or went, instead."""


class WhyShape(Shape):
    """Why the subscriber was told of one update or not."""

    update: str
    number: int | None
    """Which update of the incident it is, from 1; null for a reminder."""
    kind: Kind
    status: str
    at: datetime
    planned: bool
    """Whether a plan on the log names the subscriber: the record."""
    reason: str
    told_before: bool
    """Whether an earlier plan of this incident names the subscriber: who was told is told to the end."""
    reaches: list[ReachShape]
    then: StandingShape | None
    """How the subscriber stood; null before the sign-up."""
    today: JudgementShape | None
    """What would be decided of the subscriber as of today; null where nothing is different."""
    notification: FateShape | None


class SubscriberWhyShape(Shape):
    """A subscriber as of today, and the reasons for each update, oldest first; the address is masked."""

    subscriber: str
    channel: str
    address: str
    standing: StandingShape
    incident: str
    title: str
    updates: list[WhyShape]


class Reasons(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["audience"], dependencies=[self.needs(Role.VIEWER)])
        router.get("/subscribers/{subscriber}/why", responses={**BAD, **MISSING, **REFUSED})(self.why)
        return router

    def why(
        self,
        page: str,
        subscriber: str,
        incident: Annotated[str, Query(description="An incident or maintenance.")],
        update: Annotated[str | None, Query(description="One update: its number, from 1, or its id.")] = None,
    ) -> SubscriberWhyShape:
        """Return why a subscriber was told of an incident's updates or not, and what became of the notifications."""
        view = self.view(page)
        subject = view.incidents.get(incident) or view.maintenances.get(incident)
        if subject is None:
            raise not_found("incident")
        found = self.deps.reasons.why(page, subscriber, subject)
        if found is None:
            raise not_found("subscriber")
        return SubscriberWhyShape(
            subscriber=found.subscriber,
            channel=found.channel,
            address=found.address,
            standing=_standing(found.standing),
            incident=subject.id,
            title=subject.title,
            updates=[_why(one) for one in _chosen(found.updates, update)],
        )


def _chosen(found: Sequence[ports.Why], update: str | None) -> Sequence[ports.Why]:
    """Return the reasons that are asked for; raises ProblemError 404 where there is no such update."""
    if update is None:
        return found
    is_number = update.isascii() and update.isdigit() and len(update) <= _NUMBER_DIGITS
    chosen = [one for one in found if (one.number == int(update) if is_number else one.update == update)]
    if not chosen:
        raise not_found("update")
    return chosen


def _why(one: ports.Why) -> WhyShape:
    return WhyShape(
        update=one.update,
        number=one.number,
        kind=one.kind,
        status=one.status,
        at=when(one.at),
        planned=one.planned,
        reason=one.reason,
        told_before=one.told_before,
        reaches=[_reach(reach) for reach in one.reaches],
        then=None if one.then is None else _standing(one.then),
        today=None if one.today is None else JudgementShape(told=one.today.told, reason=one.today.reason),
        notification=None if one.fate is None else _fate(one.fate),
    )


def _standing(own: ports.Standing) -> StandingShape:
    return StandingShape(
        state=own.state, reason=own.reason or None, filter=filter_shape(own.filter), audience=own.audience
    )


def _reach(own: ports.Reach) -> ReachShape:
    return ReachShape(
        component=own.cell.component,
        region=own.cell.region,
        impact=own.impact,
        chosen=None if own.chosen is None else choice_shape(own.chosen),
        through=own.through,
        weighs=own.weighs,
    )


def _fate(own: ports.Fate) -> FateShape:
    return FateShape(
        notification=own.notification,
        state=own.state,
        meaning=own.meaning,
        reason=own.reason or None,
        attempts=own.attempts,
        at=when(own.at),
        superseded_by=own.superseded_by,
    )

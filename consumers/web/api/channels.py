"""GET channels: whether each channel sends, and what is in its way. For operators."""

from datetime import datetime

from fastapi import APIRouter

from consumers.web import ports
from consumers.web.api.reading import MISSING, REFUSED, Reading
from consumers.web.api.shape import Shape, when, when_or_none
from streams.runtime.access import Role


class RestShape(Shape):
    """A rest after refusals."""

    provider: str | None
    """Which of the channel's several providers rests; null: the channel itself does."""
    since: datetime
    """The first refusal of those in a row."""
    until: datetime
    """When it is tried again, with one message."""
    refusals: int
    reason: str
    """What the provider said last."""


class HoldShape(Shape):
    """A limit that holds messages back."""

    limit: str
    """`account`, `sender`, `destination`, or `provider`: its own word when to come again."""
    since: datetime
    last: datetime
    times: int
    until: datetime | None
    """When it lets some through; null where each message waits for a time of its own."""


class ChannelShape(Shape):
    """A channel that is switched on."""

    name: str
    title: str
    state: str
    """`sending`, `held_back`, `failover`, `probing` (one message after a rest), `resting`, or `unattended`."""
    summary: str
    """The same in words."""
    senders: int
    """How many processes send on it."""
    waiting_since: datetime | None
    """Since when what is next in line waits; null where nothing does."""
    stand_in: str | None
    """The provider that sends in the place of the first, which rests."""
    rests: list[RestShape]
    held_back: list[HoldShape]


class ChannelList(Shape):
    """All channels that are switched on."""

    channels: list[ChannelShape]


class Channels(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["audience"], dependencies=[self.needs(Role.VIEWER)])
        router.get("/channels", responses={**MISSING, **REFUSED})(self.channels)
        return router

    def channels(self, page: str) -> ChannelList:
        """Return each channel that is switched on: whether it sends, and what is in its way."""
        self.view(page)
        return ChannelList(channels=[_channel(row) for row in self.deps.channels.list()])


def _channel(row: ports.ChannelRow) -> ChannelShape:
    return ChannelShape(
        name=row.name,
        title=row.title,
        state=row.state,
        summary=row.summary,
        senders=row.senders,
        waiting_since=when_or_none(row.waiting_since),
        stand_in=row.stand_in or None,
        rests=[_rest(one) for one in row.rests],
        held_back=[_hold(one) for one in row.held_back],
    )


def _rest(one: ports.ChannelRest) -> RestShape:
    return RestShape(
        provider=one.provider or None,
        since=when(one.since),
        until=when(one.until),
        refusals=one.refusals,
        reason=one.reason,
    )


def _hold(one: ports.ChannelHold) -> HoldShape:
    return HoldShape(
        limit=one.limit,
        since=when(one.since),
        last=when(one.last),
        times=one.times,
        until=when_or_none(one.until),
    )

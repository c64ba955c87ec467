"""Everything that the way out needs, in one frozen value; made by the composition and nowhere else."""

from dataclasses import dataclass

from consumers.web import ports
from consumers.web.pictures import Pictures
from consumers.web.prepared import PreparedBodies
from consumers.web.render.assets import Assets
from consumers.web.render.page import Pages
from consumers.web.sse import ChangeStream
from streams.runtime.access import Access
from streams.runtime.clock import Clock
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics


@dataclass(frozen=True)
class WebDependencies:
    """``page`` is the page that ``/`` shows; the API serves every page of the board. ``public`` leaves out what is internal."""

    page: str
    board: ports.Board
    public: Pictures
    access: Access
    clock: Clock
    metrics: Metrics
    assets: Assets
    pages: Pages
    bodies: PreparedBodies
    stream: ChangeStream
    uptime: ports.UptimeFigures
    audience: ports.Audience
    deliveries: ports.Deliveries
    subscribers: ports.Subscribers
    export: ports.Export
    reasons: ports.Reasons
    unrouted: ports.Unrouted
    channels: ports.Channels
    readiness: ports.Readiness
    events: ports.EventPages
    links: Links
    notes: ports.Notes = list

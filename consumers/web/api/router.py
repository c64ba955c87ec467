"""Puts the reads of the API v1 under one address."""

from fastapi import APIRouter

from consumers.web.api.audience import Audience
from consumers.web.api.channels import Channels
from consumers.web.api.components import Components
from consumers.web.api.drafts import Drafts
from consumers.web.api.events import Events
from consumers.web.api.export import Export
from consumers.web.api.incidents import Incidents
from consumers.web.api.maintenances import Maintenances
from consumers.web.api.reading import Reading
from consumers.web.api.reliability import Reliability
from consumers.web.api.subscribers import Subscribers
from consumers.web.api.why import Reasons
from consumers.web.dependencies import WebDependencies

READS: tuple[type[Reading], ...] = (
    Incidents, Maintenances, Components, Reliability, Drafts, Audience, Channels, Subscribers, Export, Reasons, Events,
)  # fmt: skip


def api_router(deps: WebDependencies) -> APIRouter:
    """Return all reads."""
    router = APIRouter(prefix="/api/v1/pages/{page}")
    for reads in READS:
        router.include_router(reads(deps).routes())
    return router

"""``tocsin apply --server``: a configuration's catalogue over HTTP, turned into events by the running server."""

import asyncio
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from schemas.events import EventData
from schemas.shapes import learn
from streams.domain.catalogue import Catalogue
from streams.runtime.access import Access, Role
from streams.runtime.problems import invalid, not_found
from tocsin.config.describe import describe_all

learn(Catalogue)


class Applies(Protocol):
    """What turns a catalogue into events, by engine."""

    def apply(self, page: str, wanted: Catalogue, *, dry_run: bool = False) -> tuple[Catalogue, list[EventData]]:
        """Append what leads from the log's catalogue to ``wanted``; return the former and the changes."""


class Application(BaseModel):
    """A whole catalogue, as ``tocsin apply`` makes it from a configuration."""

    model_config = ConfigDict(extra="forbid")

    catalogue: dict[str, Any] = Field(description="What the page's catalogue shall be.")
    dry_run: bool = Field(default=False, description="Only say what would change.")


def catalogue_router(backend: Applies, access: Access, page: str) -> APIRouter:
    """Return the route; it needs the role approver. Tokens and channels change with a restart only."""
    router = APIRouter(tags=["catalogue"])

    @router.post("/api/v1/pages/{page_id}/catalogue", summary="Apply a configuration's catalogue")
    async def apply(request: Request, page_id: str, body: Application) -> dict[str, list[str]]:
        access.require(request.headers.get("authorization"), Role.APPROVER)
        if page_id != page:
            raise not_found("page")
        try:
            wanted = msgspec.convert(body.catalogue, Catalogue)
        except msgspec.ValidationError as error:
            raise invalid("catalogue", str(error)) from None
        current, changes = await asyncio.to_thread(backend.apply, page, wanted, dry_run=body.dry_run)
        return {"changes": describe_all(current, changes)}

    return router

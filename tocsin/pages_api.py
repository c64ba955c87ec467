"""Which pages a server has: what the command line asks before anything else where nobody names a page."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from streams.domain.model import PageView
from streams.runtime.access import Access, Role
from streams.runtime.views import Views


class PageShape(BaseModel):
    """A page."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    url: str


class PageList(BaseModel):
    """All pages of the server, by id."""

    model_config = ConfigDict(frozen=True)

    pages: list[PageShape]


def pages_router(views: Views, access: Access) -> APIRouter:
    """Return the route; it needs the role viewer."""
    router = APIRouter(tags=["pages"])

    @router.get("/api/v1/pages", summary="Which pages there are")
    async def pages(request: Request) -> PageList:
        access.require(request.headers.get("authorization"), Role.VIEWER)
        found = [views.view(page) for page in sorted(views.pages())]
        return PageList(pages=[_shape(view) for view in found if view is not None])

    return router


def _shape(view: PageView) -> PageShape:
    return PageShape(id=view.page, name=view.settings.name, url=view.settings.url)

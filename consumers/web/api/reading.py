"""What the reads of the API v1 share: the page they are about, who may ask, cursors, and windows of days."""

from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, TypeAlias, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from consumers.web.api.shape import Problem
from consumers.web.dependencies import WebDependencies
from schemas.events import Cell
from streams.domain.model import PageView
from streams.domain.tree import Tree
from streams.runtime.access import Operator, Role
from streams.runtime.problems import invalid, not_found

T = TypeVar("T")
MOST_DAYS = 366
DEFAULT_DAYS = 90
_bearer = HTTPBearer(auto_error=False, description="The token of an operator.")
Bearer: TypeAlias = Annotated[str | None, Header(alias="Authorization", include_in_schema=False)]
"""Who asks for what everybody may read, without a token too: operators are shown what is internal besides."""
Responses = dict[int | str, dict[str, Any]]

After = Annotated[str | None, Query(max_length=500, description="The `next` of the page before; absent at first.")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to return at most.")]
From = Annotated[date | None, Query(alias="from", description="First UTC day; 90 days ago if absent.")]
To = Annotated[date | None, Query(description="Last UTC day, itself included; today if absent.")]

BAD: Responses = {400: {"model": Problem, "description": "A parameter is wrong; the problem names it."}}
MISSING: Responses = {404: {"model": Problem, "description": "There is no such page or thing."}}
REFUSED: Responses = {
    401: {"model": Problem, "description": "No valid token."},
    403: {"model": Problem, "description": "The role is not enough."},
}


class Reading(ABC):
    """The base of all reads."""

    def __init__(self, deps: WebDependencies) -> None:
        self.deps = deps

    def view(self, page: str) -> PageView:
        """Return the page's picture; raises ProblemError 404."""
        view = self.deps.board.view(page)
        if view is None:
            raise not_found("page")
        return view

    def shown(self, page: str, given: Bearer) -> PageView:
        """Return the picture that who asks may see: operators all of it, others what is public; raises ProblemError 404."""
        operator = self.deps.access.operator(given)
        view = (self.deps.public if operator is None else self.deps.board).view(page)
        if view is None:
            raise not_found("page")
        return view

    @abstractmethod
    def routes(self) -> APIRouter:
        """Return the routes, relative to the page."""

    def needs(self, role: Role) -> Any:
        """Return the dependency of a route that only operators of ``role`` and above may ask."""

        def operator(given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> Operator:
            return self.deps.access.require(None if given is None else f"Bearer {given.credentials}", role)

        return Depends(operator)


def encode_cursor(*parts: str | int) -> str:
    """Return an opaque, URL-safe cursor."""
    return urlsafe_b64encode(".".join(map(str, parts)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """Return the parts of a cursor; raises ProblemError 400 for one that was not made here."""
    try:
        found = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode().split(".")
    except ValueError:  # not ASCII, not base64, not UTF-8
        found = []
    # The decoder passes over what it does not know: only what encodes to the same was made here.
    if len(found) != parts or encode_cursor(*found) != cursor:
        raise bad_cursor()
    return found


def bad_cursor() -> Exception:
    """Return the problem of a cursor that was not made here."""
    return invalid("query.after", "not a cursor of this list")


def ask(question: Callable[[], T]) -> T:
    """Return what a port answers; a cursor that it does not know is a problem with ``after``."""
    try:
        return question()
    except ValueError:
        raise bad_cursor() from None


def page_of(rows: Sequence[T], limit: int, cursor: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """Return at most ``limit`` of ``rows``, and the cursor behind the last where there are more."""
    shown = rows[:limit]
    return shown, cursor(shown[-1]) if len(rows) > limit else None


def window(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """Return the days that are asked for; raises ProblemError 400 for none at all or too many."""
    last = today if last is None else last
    first = date.fromordinal(max(1, last.toordinal() - DEFAULT_DAYS + 1)) if first is None else first
    if first > last:
        raise invalid("query.from", "is after `to`")
    if (last - first).days >= MOST_DAYS:
        raise invalid("query.from", f"at most {MOST_DAYS} days can be asked for at once")
    return first, last


def cells_of(view: PageView, component: str | None, region: str | None) -> list[Cell]:
    """Return the cells of a component or group (None: of the page) in a region (None: in all).

    Raises ProblemError 400 for a component or region that the page does not have.
    """
    if component is not None and component not in view.components:
        raise invalid("query.component", "the page has no such component")
    if region is not None and all(known.id != region for known in view.regions):
        raise invalid("query.region", "the page has no such region")
    cells = [cell for leaf in Tree(view.components).leaves(component) for cell in leaf.cells]
    found = [cell for cell in cells if region in {None, cell.region}]
    if region is not None and not found:
        raise invalid("query.region", "the component does not run there")
    return found

"""A page's components as Statuspage v2 lists them: at most one level of groups, regions folded into the worst cell."""

from typing import TypeAlias

from consumers.web.render import codes
from consumers.web.render.zone import local, stamp, zone_of
from schemas.events import Micros
from streams.domain.model import Component, PageView
from streams.domain.rollup import component_status
from streams.domain.tree import Tree

Json: TypeAlias = dict[str, object]


class Catalogue:
    """The components of one view, walked once; what is asked of it is a ready JSON object."""

    def __init__(self, view: PageView) -> None:
        self.view = view
        self.zone = zone_of(view.settings.timezone)
        self._tree = Tree(view.components)
        self._code = codes.page_code(view.page)
        self._by_id = self._numbered()

    def page(self) -> Json:
        """Return the ``page`` object that every body begins with."""
        settings = self.view.settings
        return {
            "id": self._code,
            "name": settings.name,
            "url": settings.url,
            "time_zone": settings.timezone,
            "updated_at": self.stamp(self.view.updated_at),
        }

    def stamp(self, at: Micros) -> str:
        """Return a time in the page's zone."""
        return stamp(at, self.zone)

    def stamp_or_null(self, at: Micros | None) -> str | None:
        """Return a time in the page's zone, or null."""
        return None if at is None else self.stamp(at)

    def components(self) -> list[Json]:
        """Return all groups and components in display order, each group before what lies in it."""
        return list(self._by_id.values())

    def snapshot(self, component: str) -> Json | None:
        """Return one component as it is now; None for a group and for what is no longer shown."""
        found = self._by_id.get(component)
        return None if found is None or found["group"] else found

    def full_name(self, component: str) -> str | None:
        """Return ``Group - Child``, or the plain name at the top; None for what is no longer shown."""
        own = self.view.components.get(component)
        if own is None:
            return None
        top = self._tree.top(component)
        name = own.definition.name
        return name if top == component else f"{self.view.components[top].definition.name} - {name}"

    def _numbered(self) -> dict[str, Json]:
        """Return the JSON objects by component id in display order; positions count from 1 within a group."""
        found: dict[str, Json] = {}
        for position, top in enumerate(self._tree.children(None), 1):
            name = top.definition.component
            if not self._tree.is_group(name):
                found[name] = self._component(top, position, None)
                continue
            leaves = self._tree.leaves(name)
            found[name] = self._group(top, position, leaves)
            for rank, leaf in enumerate(leaves, 1):
                found[leaf.definition.component] = self._component(leaf, rank, name)
        return found

    def _component(self, component: Component, position: int, group: str | None) -> Json:
        own = component.definition
        page = self.view.page
        return {
            "id": codes.component_code(page, own.component),
            "name": own.name,
            "status": component_status(self.view, own.component, self._tree).value,
            "created_at": self.stamp(component.created_at),
            "updated_at": self.stamp(component.updated_at),
            "position": position,
            "description": own.description or None,
            "showcase": True,
            "start_date": local(component.created_at, self.zone).date().isoformat(),
            "group_id": None if group is None else codes.component_code(page, group),
            "page_id": self._code,
            "group": False,
            "only_show_if_degraded": False,
        }

    def _group(self, component: Component, position: int, leaves: list[Component]) -> Json:
        children = [codes.component_code(self.view.page, leaf.definition.component) for leaf in leaves]
        return self._component(component, position, None) | {
            "showcase": False,
            "start_date": None,
            "group": True,
            "components": children,
        }

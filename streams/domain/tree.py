"""The component tree of a page, from its definitions alone; it knows nothing of statuses.

Total: a parent that is not there, or a circle of parents, must not lose a component. Whoever names a missing parent,
or is part of a circle, stands at the top.
"""

from collections.abc import Iterator, Mapping
from itertools import dropwhile

from streams.domain.model import Component


class Tree:
    """The children of each component in display order; built once in O(n), asked often."""

    __slots__ = ("_children", "_components", "_parents")

    def __init__(self, components: Mapping[str, Component]) -> None:
        self._components = components
        self._parents = _parents(components)
        self._children: dict[str | None, list[Component]] = {}
        for component in sorted(components.values(), key=_display_order):
            parent = self._parents[component.definition.component]
            self._children.setdefault(parent, []).append(component)

    def children(self, group: str | None) -> list[Component]:
        """Return the components right below ``group`` (None: the top) in display order."""
        return list(self._children.get(group, ()))

    def is_group(self, component: str) -> bool:
        """Whether other components lie below this one."""
        return component in self._children

    def parent(self, component: str) -> str | None:
        """Return the component that this one is shown below; None at the top and for what is not known."""
        return self._parents.get(component)

    def top(self, component: str) -> str:
        """Return the outermost group of a component; itself where it stands at the top."""
        while (parent := self._parents.get(component)) is not None:
            component = parent
        return component

    def leaves(self, component: str | None) -> list[Component]:
        """Return the leaf components at or below ``component`` (None: of the page) in display order."""
        if component is not None and component not in self._children:
            own = self._components.get(component)
            return [] if own is None else [own]
        return list(self._below(component))

    def _below(self, group: str | None) -> Iterator[Component]:
        pending = list(reversed(self._children.get(group, ())))
        while pending:
            component = pending.pop()
            children = self._children.get(component.definition.component)
            if children is None:
                yield component
            else:
                pending.extend(reversed(children))


def _display_order(component: Component) -> tuple[int, str]:
    return component.definition.position, component.definition.component


def _parents(components: Mapping[str, Component]) -> dict[str, str | None]:
    """Return for each component the parent that it is shown below."""
    parents: dict[str, str | None] = {}
    for name in components:
        path: dict[str, None] = {}
        at: str | None = name
        while at is not None and at in components and at not in parents and at not in path:
            path[at] = None
            at = components[at].definition.parent
        for step in path:
            parent = components[step].definition.parent
            parents[step] = parent if parent in components else None
        if at in path:
            parents.update(dict.fromkeys(dropwhile(at.__ne__, path)))
    return parents

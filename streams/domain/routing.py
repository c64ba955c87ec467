"""Which rule an alert falls under, and which cells it then affects, how badly; or why it tells nobody."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from schemas.events import Cell, ComponentDefined, Rule
from schemas.vocabulary import CellStatus, Severity
from streams.domain.wording import TemplateFaultError, fill

ANY_SEVERITY = "*"
"""The key of a rule's status that stands for every severity."""


_NO_TROUBLE = (CellStatus.OPERATIONAL, CellStatus.MAINTENANCE)


class Alarm(Protocol):
    """The part of an episode that rules look at."""

    @property
    def source(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def labels(self) -> dict[str, str]: ...


class Routed(msgspec.Struct, frozen=True):
    """The rule that decides, and the cells it affects."""

    rule: Rule
    component: str
    region: str | None
    cells: list[Cell]
    status: CellStatus


class Unrouted(msgspec.Struct, frozen=True):
    """Nobody is told; operators see why."""

    reason: str


Routing: TypeAlias = Routed | Unrouted


class Layout:
    """The components of a page and their cells, made for being asked by every alert."""

    def __init__(self, components: Mapping[str, ComponentDefined]) -> None:
        self._components = components
        self._children: dict[str, list[str]] = {}
        for name in sorted(components):
            parent = components[name].parent
            if parent is not None:
                self._children.setdefault(parent, []).append(name)
        self._found: dict[tuple[str, str | None], list[Cell]] = {}

    def __contains__(self, component: str) -> bool:
        return component in self._components

    def cells(self, component: str, region: str | None) -> list[Cell]:
        """Return the cells that ``component`` (a leaf, or a group: all below it) has in ``region`` (None: in all).

        An unknown component, or a region where it does not run, has none.
        """
        found = self._found.get((component, region))
        if found is None:
            found = self._look(component, region, frozenset())
            if found:  # what alerts may name is without end, what exists is not
                self._found[component, region] = found
        return found

    def _look(self, component: str, region: str | None, above: frozenset[str]) -> list[Cell]:
        own = self._components.get(component)
        if own is None or component in above:
            return []
        if below := self._children.get(component):
            return [cell for child in below for cell in self._look(child, region, above | {component})]
        if region is None:
            return [Cell(component, where) for where in own.regions] or [Cell(component)]
        return [Cell(component, region)] if region in own.regions else []


def route(rules: Iterable[Rule], layout: Layout, alarm: Alarm) -> Routing:
    """Return what the first matching rule says; the first match decides even where it leads nowhere."""
    for rule in rules:
        if _matches(rule, alarm):
            return _follow(rule, layout, alarm)
    return Unrouted("no rule matches")


def _matches(rule: Rule, alarm: Alarm) -> bool:
    if rule.source is not None and rule.source != alarm.source:
        return False
    labels = alarm.labels
    for name, value in rule.labels.items():  # noqa: SIM110 - asked for every rule of every alert; all() takes twice as long
        if labels.get(name) != value:
            return False
    return True


def _follow(rule: Rule, layout: Layout, alarm: Alarm) -> Routing:
    status = rule.status.get(alarm.severity) or rule.status.get(ANY_SEVERITY)
    if status is None or status in _NO_TROUBLE:
        return Unrouted(f"rule {rule.id} has no status for the severity {alarm.severity}")
    try:
        component = fill(rule.component, {"labels": alarm.labels})
        region = None if rule.region is None else fill(rule.region, {"labels": alarm.labels})
    except TemplateFaultError as fault:
        return Unrouted(f"rule {rule.id}: {fault}")
    if component not in layout:
        return Unrouted(f"rule {rule.id} leads to the component {component!r}, which the page does not have")
    cells = layout.cells(component, region)
    if not cells:
        return Unrouted(f"rule {rule.id} leads to the region {region!r}, where {component} does not run")
    return Routed(rule, component, region, cells, status)

"""Which rule an alert falls under, and which cells it then affects, how badly; or why it tells nobody."""

from collections import Counter
from collections.abc import Mapping, Sequence
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


class Rulebook:
    """The rules of a page, made for being asked by every alert: each is found by the rarest label that it asks for."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._named: dict[str, Rule] = {}
        self._by_label: dict[tuple[str, str] | None, list[tuple[int, Rule]]] = {}
        users = Counter(label for rule in rules for label in rule.labels.items())
        for rank, rule in enumerate(rules):
            self._named.setdefault(rule.id, rule)
            rarest = min(rule.labels.items(), key=lambda label: (users[label], label), default=None)
            self._by_label.setdefault(rarest, []).append((rank, rule))

    def named(self, name: str) -> Rule | None:
        """Return the rule of this name, None where the page has none."""
        return self._named.get(name)

    def first(self, alarm: Alarm) -> Rule | None:
        """Return the first rule that matches, None where none does."""
        found: tuple[int, Rule] | None = None
        for label in (None, *alarm.labels.items()):
            for rank, rule in self._by_label.get(label, ()):
                if found is not None and found[0] < rank:
                    break
                if _matches(rule, alarm):
                    found = rank, rule
                    break
        return None if found is None else found[1]


def route(rules: Rulebook, layout: Layout, alarm: Alarm) -> Routing:
    """Return what the first matching rule says; the first match decides even where it leads nowhere."""
    rule = rules.first(alarm)
    return Unrouted("no rule matches") if rule is None else _follow(rule, layout, alarm)


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

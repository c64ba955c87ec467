"""The catalogue of one page: what its log defines, and the events that lead from one catalogue to another.

It knows no configuration file: what is wanted comes as a ``Catalogue``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from schemas.events import (
    ComponentDefined,
    ComponentRemoved,
    EventData,
    PageDefined,
    RegionsDefined,
    RulesDefined,
    SourceDefined,
    SourceRemoved,
    TemplateDefined,
    TemplateRemoved,
)
from streams.domain.page import COMPONENTS, ONLY, REGIONS, RULES, SETTINGS, SOURCES, TEMPLATES
from streams.domain.state import State

V = TypeVar("V")


@dataclass(frozen=True)
class Catalogue:
    """What is defined, by id; ``page=None`` means that nothing defined the page yet."""

    page: PageDefined | None = None
    regions: RegionsDefined = field(default_factory=lambda: RegionsDefined([]))
    components: Mapping[str, ComponentDefined] = field(default_factory=dict)
    templates: Mapping[str, TemplateDefined] = field(default_factory=dict)
    sources: Mapping[str, SourceDefined] = field(default_factory=dict)
    rules: RulesDefined = field(default_factory=lambda: RulesDefined([]))


def fold(catalogue: Catalogue, data: EventData) -> Catalogue:
    """Return the catalogue after an event; events that define nothing change nothing."""
    match data:
        case PageDefined():
            return replace(catalogue, page=data)
        case RegionsDefined():
            return replace(catalogue, regions=data)
        case ComponentDefined():
            return replace(catalogue, components={**catalogue.components, data.component: data})
        case TemplateDefined():
            return replace(catalogue, templates={**catalogue.templates, data.template: data})
        case SourceDefined():
            return replace(catalogue, sources={**catalogue.sources, data.source: data})
        case RulesDefined():
            return replace(catalogue, rules=data)
        case _:
            return _fold_removal(catalogue, data)


def catalogue_of(history: Iterable[EventData]) -> Catalogue:
    """Return the catalogue that a page's events define."""
    catalogue = Catalogue()
    for data in history:
        catalogue = fold(catalogue, data)
    return catalogue


def catalogue_in(state: State, page: str) -> Catalogue:
    """Return the catalogue that the tables of ``streams.domain.page`` hold."""
    return Catalogue(
        page=state[SETTINGS].get(page, ONLY),
        regions=state[REGIONS].get(page, ONLY) or RegionsDefined([]),
        components={name: component.definition for name, component in state[COMPONENTS].items(page)},
        templates=dict(state[TEMPLATES].items(page)),
        sources=dict(state[SOURCES].items(page)),
        rules=state[RULES].get(page, ONLY) or RulesDefined([]),
    )


def difference(current: Catalogue, desired: Catalogue) -> list[EventData]:
    """Return the fewest events that turn ``current`` into ``desired``; none if they are equal.

    After each of them everything that is named exists: the parent and the regions of a component, and what rules name.
    So definitions come first (the page, regions, components from the top down, templates, sources, rules), removals
    last and from the bottom up. Regions change in two steps where some come and some go. ``desired`` must be consistent
    itself; a page that is defined stays defined.
    """
    return [
        *_page(current, desired),
        *_new_regions(current, desired),
        *_changed(current.components, {one.component: one for one in from_the_top(desired.components)}),
        *_changed(current.templates, desired.templates),
        *_changed(current.sources, desired.sources),
        *([desired.rules] if desired.rules != current.rules else []),
        *(SourceRemoved(source) for source in current.sources if source not in desired.sources),
        *(TemplateRemoved(template) for template in current.templates if template not in desired.templates),
        *_removed_components(current, desired),
        *_fewer_regions(current, desired),
    ]


def from_the_top(components: Mapping[str, ComponentDefined]) -> list[ComponentDefined]:
    """Return the components in display order, each after its parent; those whose parents form a ring come last."""
    below: dict[str | None, list[ComponentDefined]] = {}
    for one in sorted(components.values(), key=lambda one: (one.position, one.component), reverse=True):
        below.setdefault(one.parent if one.parent in components else None, []).append(one)
    found: dict[str, ComponentDefined] = {}
    waiting = below.get(None, [])
    while waiting:
        one = waiting.pop()
        found[one.component] = one
        waiting += below.get(one.component, [])
    return [*found.values(), *(one for name, one in components.items() if name not in found)]


def _fold_removal(catalogue: Catalogue, data: EventData) -> Catalogue:
    match data:
        case ComponentRemoved():
            return replace(catalogue, components=_without(catalogue.components, data.component))
        case TemplateRemoved():
            return replace(catalogue, templates=_without(catalogue.templates, data.template))
        case SourceRemoved():
            return replace(catalogue, sources=_without(catalogue.sources, data.source))
        case _:
            return catalogue


def _without(mapping: Mapping[str, V], key: str) -> Mapping[str, V]:
    return {name: value for name, value in mapping.items() if name != key}


def _changed(current: Mapping[str, V], desired: Mapping[str, V]) -> Iterator[V]:
    return (value for key, value in desired.items() if current.get(key) != value)


def _page(current: Catalogue, desired: Catalogue) -> Iterator[EventData]:
    if desired.page is not None and desired.page != current.page:
        yield desired.page


def _new_regions(current: Catalogue, desired: Catalogue) -> Iterator[EventData]:
    """Define regions before components use them; those that are to go stay on until none does."""
    wanted = {region.id for region in desired.regions.regions}
    leaving = [region for region in current.regions.regions if region.id not in wanted]
    arrived = wanted - {region.id for region in current.regions.regions}
    if leaving and arrived:
        yield RegionsDefined([*desired.regions.regions, *leaving])
    elif not leaving and desired.regions != current.regions:
        yield desired.regions


def _fewer_regions(current: Catalogue, desired: Catalogue) -> Iterator[EventData]:
    wanted = {region.id for region in desired.regions.regions}
    if any(region.id not in wanted for region in current.regions.regions):
        yield desired.regions


def _removed_components(current: Catalogue, desired: Catalogue) -> Iterator[EventData]:
    for one in reversed(from_the_top(current.components)):
        if one.component not in desired.components:
            yield ComponentRemoved(one.component)

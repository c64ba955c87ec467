"""What must hold between the items of a file: ids that are unique, and names of things that exist.

Items that are wrong by themselves have been left out already; their ids still count as known.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

from tocsin.config.models import Affects, Component, Operator, Region, Rule, Source, Template
from tocsin.config.problems import KeyPath, dotted, nearest
from tocsin.config.templates import REGION_VARIABLES, TEMPLATE_VARIABLES, is_template, template_faults
from tocsin.config.validate import Finding, Pieces


def check(pieces: Pieces, kinds: Collection[str] | None) -> list[Finding]:
    """Return what is wrong; ``kinds`` are the sources that exist (None: any will do)."""
    checks: tuple[Callable[[Pieces], Iterable[Finding]], ...] = (
        _unique_ids, _unique_tokens, _component_regions, _rule_names, _rule_regions, _template_texts,
    )  # fmt: skip
    found = [finding for one in checks for finding in one(pieces)]
    return [*found, *(_source_kinds(pieces, kinds) if kinds is not None else ())]


def components_with_paths(pieces: Pieces) -> Iterator[tuple[KeyPath, Component]]:
    """Yield all components and groups, parents first."""

    def walk(path: KeyPath, component: Component) -> Iterator[tuple[KeyPath, Component]]:
        yield path, component
        for index, child in enumerate(component.components):
            yield from walk((*path, "components", index), child)

    for path, component in pieces.of(Component):
        yield from walk(path, component)


def _unique_ids(pieces: Pieces) -> Iterator[Finding]:
    sections: tuple[Iterable[tuple[KeyPath, str]], ...] = (
        [((*path, "id"), region.id) for path, region in pieces.of(Region)],
        [((*path, "id"), component.id) for path, component in components_with_paths(pieces)],
        [((*path, "id"), source.id) for path, source in pieces.of(Source)],
        [((*path, "id"), rule.id) for path, rule in pieces.of(Rule)],
        [((*path, "name"), operator.name) for path, operator in pieces.of(Operator)],
    )
    for section in sections:
        for path, first, name in _repeated(section):
            yield Finding(path, f"expected a name of its own, {dotted(first)} has the same", f'"{name}"')


def _unique_tokens(pieces: Pieces) -> Iterator[Finding]:
    tokens: list[tuple[KeyPath, str]] = []
    for path, source in pieces.of(Source):
        if not source.secrets or (source.token and source.tokens):
            yield Finding(path, "expected either token or tokens")
        if source.token:
            tokens.append(((*path, "token"), source.token.get_secret_value()))
        tokens += [((*path, "tokens", index), one.get_secret_value()) for index, one in enumerate(source.tokens)]
    tokens += [((*path, "token"), operator.token.get_secret_value()) for path, operator in pieces.of(Operator)]
    for path, first, _ in _repeated(tokens):
        yield Finding(path, f"expected a secret of its own, {dotted(first)} has the same")


def _repeated(named: Iterable[tuple[KeyPath, str]]) -> Iterator[tuple[KeyPath, KeyPath, str]]:
    """Yield each place whose name was met before, and where."""
    seen: dict[str, KeyPath] = {}
    for path, name in named:
        if name in seen:
            yield path, seen[name], name
        seen.setdefault(name, path)


def _component_regions(pieces: Pieces) -> Iterator[Finding]:
    for path, component in components_with_paths(pieces):
        own = (*path, "regions")
        if component.components and component.regions:
            yield Finding(own, "expected no regions on a group: its components have them")
        for index, region in enumerate(component.regions):
            yield from _reference((*own, index), region, pieces.ids.get("regions", ()), "a region")
        for again, _, region in _repeated(((*own, index), one) for index, one in enumerate(component.regions)):
            yield Finding(again, "expected each region once", f'"{region}"')


def _rule_names(pieces: Pieces) -> Iterator[Finding]:
    ids = pieces.ids
    for path, rule in pieces.of(Rule):
        if rule.match.source is not None:
            yield from _reference((*path, "match", "source"), rule.match.source, ids.get("sources", ()), "a source")
        component = rule.affects.component
        yield from _reference((*path, "affects", "component"), component, ids.get("components", ()), "a component")
        yield from _reference((*path, "template"), rule.template, ids.get("templates", ()), "a template")


def _reference(path: KeyPath, name: str, known: Collection[str], what: str) -> Iterator[Finding]:
    if name not in known:
        options = f" ({', '.join(sorted(known))})" if 0 < len(known) <= 12 else ""
        yield Finding(path, f"expected the id of {what}{options}", f'"{name}"{nearest(name, known)}')


def _rule_regions(pieces: Pieces) -> Iterator[Finding]:
    regions = {component.id: _regions_below(component) for _, component in components_with_paths(pieces)}
    for path, rule in pieces.of(Rule):
        if rule.affects.region is not None and rule.affects.component in regions:
            yield from _rule_region((*path, "affects", "region"), rule.affects, regions[rule.affects.component])


def _rule_region(path: KeyPath, affects: Affects, known: list[str]) -> Iterator[Finding]:
    region = affects.region or ""
    if not known:
        yield Finding(path, f"expected no region, since {affects.component} has none")
    elif is_template(region):
        yield from (Finding(path, fault) for fault in template_faults(region, REGION_VARIABLES))
    elif region not in known:
        message = f"expected a region of {affects.component} ({', '.join(known)}) or a template"
        yield Finding(path, message, f'"{region}"{nearest(region, known)}')


def _regions_below(component: Component) -> list[str]:
    """Return the regions of a component, or of all components in a group, each once and in order."""
    below = [region for child in component.components for region in _regions_below(child)]
    return list(dict.fromkeys([*component.regions, *below]))


def _template_texts(pieces: Pieces) -> Iterator[Finding]:
    for path, template in pieces.of(Template):
        for name, text in template.model_dump(exclude_none=True).items():
            yield from (Finding((*path, name), fault) for fault in template_faults(text, TEMPLATE_VARIABLES))


def _source_kinds(pieces: Pieces, kinds: Collection[str]) -> Iterator[Finding]:
    for path, source in pieces.of(Source):
        if source.kind not in kinds:
            message = f"expected one of {', '.join(sorted(kinds))}"
            yield Finding((*path, "kind"), message, f'"{source.kind}"{nearest(source.kind, kinds)}')

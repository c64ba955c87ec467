"""What must hold between the items of a file: ids that are unique, and names of things that exist.

Ids, names and texts are compared as they stand in the file, so that an item that is wrong by itself is checked too;
what needs whole items looks at the valid ones.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

from schemas.vocabulary import Audience
from tocsin.config.models import Affects, Component, Rule, Source
from tocsin.config.problems import KeyPath, dotted, nearest, shown
from tocsin.config.templates import REGION_VARIABLES, TEMPLATE_VARIABLES, is_template, template_faults
from tocsin.config.texts import BELOW, EACH, texts_at
from tocsin.config.validate import Finding, Pieces

_COMPONENTS = ("components", EACH, BELOW)


def check(pieces: Pieces) -> list[Finding]:
    """Return what is wrong."""
    checks: tuple[Callable[[Pieces], Iterable[Finding]], ...] = (
        _unique_ids, _unique_tokens, _one_kind_of_token, _references, _component_regions, _rule_regions, _rule_audiences, _template_texts,
    )  # fmt: skip
    return [finding for one in checks for finding in one(pieces)]


def _unique_ids(pieces: Pieces) -> Iterator[Finding]:
    patterns: tuple[tuple[str, ...], ...] = (
        ("regions", EACH, "id"), (*_COMPONENTS, "id"), ("sources", EACH, "id"), ("rules", EACH, "id"),
        ("operators", EACH, "name"),
    )  # fmt: skip
    for pattern in patterns:
        for path, first, name in _repeated(texts_at(pieces.data, pattern)):
            what = "a name" if pattern[-1] == "name" else "an id"
            yield Finding(path, f"expected {what} of its own, unlike {dotted(first)}", shown(name))


def _unique_tokens(pieces: Pieces) -> Iterator[Finding]:
    patterns = (("sources", EACH, "token"), ("sources", EACH, "tokens", EACH), ("operators", EACH, "token"))
    tokens = [found for pattern in patterns for found in texts_at(pieces.data, pattern)]
    for path, first, _ in _repeated(tokens):
        yield Finding(path, f"expected a secret of its own, unlike {dotted(first)}")


def _one_kind_of_token(pieces: Pieces) -> Iterator[Finding]:
    for path, source in pieces.of(Source):
        if (source.token is None) == (not source.tokens):
            yield Finding(path, "expected either token or tokens")


def _repeated(named: Iterable[tuple[KeyPath, str]]) -> Iterator[tuple[KeyPath, KeyPath, str]]:
    """Yield each place whose name was met before, and where."""
    seen: dict[str, KeyPath] = {}
    for path, name in named:
        if name in seen:
            yield path, seen[name], name
        seen.setdefault(name, path)


def _references(pieces: Pieces) -> Iterator[Finding]:
    ids = {
        name: dict.fromkeys(text for _, text in texts_at(pieces.data, (*pattern, "id")))
        for name, pattern in (("region", ("regions", EACH)), ("source", ("sources", EACH)), ("component", _COMPONENTS))
    }
    templates = pieces.data.get("templates")
    ids["template"] = dict.fromkeys(templates if isinstance(templates, dict) else ())
    for pattern, name in (
        ((*_COMPONENTS, "regions", EACH), "region"),
        (("rules", EACH, "match", "source"), "source"),
        (("rules", EACH, "affects", "component"), "component"),
        (("rules", EACH, "template"), "template"),
    ):
        yield from _refer(pieces, pattern, ids[name], f"the id of a {name}:")


def _refer(pieces: Pieces, pattern: tuple[str, ...], known: Collection[str], what: str) -> Iterator[Finding]:
    options = ", ".join(known) if len(known) <= 12 else f"there are {len(known)}"
    for path, name in texts_at(pieces.data, pattern):
        if name not in known:
            yield Finding(path, f"expected {what} {options or 'there is none'}", shown(name) + nearest(name, known))


def _components(pieces: Pieces) -> Iterator[tuple[KeyPath, Component]]:
    """Yield all components and groups, parents first."""
    waiting: list[tuple[KeyPath, Component]] = list(reversed(pieces.of(Component)))
    while waiting:
        path, component = waiting.pop()
        yield path, component
        below = [((*path, "components", index), child) for index, child in enumerate(component.components)]
        waiting += reversed(below)


def _component_regions(pieces: Pieces) -> Iterator[Finding]:
    for path, component in _components(pieces):
        own = (*path, "regions")
        if component.components and component.regions:
            yield Finding(own, "expected no regions on a group: its components have them")
        for again, _, region in _repeated(((*own, index), one) for index, one in enumerate(component.regions)):
            yield Finding(again, "expected each region once", shown(region))


def _rule_regions(pieces: Pieces) -> Iterator[Finding]:
    regions = {component.id: _regions_below(component) for _, component in _components(pieces)}
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
        yield Finding(path, message, shown(region) + nearest(region, known))


def _rule_audiences(pieces: Pieces) -> Iterator[Finding]:
    """Refuse a rule for a public group with internal components: its incidents would tell the public of them."""
    components = {component.id: component for _, component in _components(pieces)}
    secret = set(_internal(pieces))
    for path, rule in pieces.of(Rule):
        named = rule.affects.component
        if named in components and named not in secret:
            below = [one.id for one in _all_below(components[named]) if one.id in secret]
            if below:
                message = f"expected no group in which something is internal ({', '.join(below)})"
                yield Finding((*path, "affects", "component"), message, shown(named))


def _internal(pieces: Pieces) -> Iterator[str]:
    """Yield the ids of what is internal, by itself or by a group above it."""
    for _, component in _components(pieces):
        if component.audience is Audience.INTERNAL:
            yield from (one.id for one in (component, *_all_below(component)))


def _all_below(component: Component) -> Iterator[Component]:
    for child in component.components:
        yield child
        yield from _all_below(child)


def _regions_below(component: Component) -> list[str]:
    """Return the regions of a component, or of all components in a group, each once and in order."""
    below = [region for child in component.components for region in _regions_below(child)]
    return list(dict.fromkeys([*component.regions, *below]))


def _template_texts(pieces: Pieces) -> Iterator[Finding]:
    for path, text in texts_at(pieces.data, ("templates", EACH, EACH)):
        yield from (Finding(path, fault) for fault in template_faults(text, TEMPLATE_VARIABLES))

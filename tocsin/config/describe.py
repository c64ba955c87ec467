"""Says in one line each what the events of a catalogue's difference change; for ``tocsin apply``."""

from collections.abc import Iterable

import msgspec

from schemas import events as e
from schemas.events import EventData
from streams.domain.catalogue import Catalogue, fold


def describe_all(current: Catalogue, changes: Iterable[EventData]) -> list[str]:
    """Return a line for each change, the first of which meets ``current``."""
    lines = []
    for data in changes:
        lines.append(describe(current, data))
        current = fold(current, data)
    return lines


def describe(current: Catalogue, data: EventData) -> str:
    """Return ``+`` (new), ``~`` (changed) or ``-`` (gone), the kind and id, and what is to be said about it.

    Raises TypeError for an event that is not part of a catalogue.
    """
    match data:
        case e.PageDefined():
            return _defined(current.page, data, f"page ({data.name})")
        case e.RegionsDefined():
            return "~ regions " + (", ".join(region.id for region in data.regions) or "none")
        case e.ComponentDefined():
            return _component(current.components.get(data.component), data)
        case e.TemplateDefined():
            return _defined(current.templates.get(data.template), data, f"template {data.template}")
        case e.SourceDefined():
            return _defined(current.sources.get(data.source), data, f"source {data.source} ({data.kind})")
        case e.RulesDefined():
            return f"~ rules: {_rules(current.rules.rules, data.rules)}"
        case _:
            return _removed(data)


def _removed(data: EventData) -> str:
    match data:
        case e.ComponentRemoved():
            return f"- component {data.component}"
        case e.TemplateRemoved():
            return f"- template {data.template}"
        case e.SourceRemoved():
            return f"- source {data.source}"
        case _:
            raise TypeError(f"{type(data).__name__} defines nothing")


def _component(old: e.ComponentDefined | None, new: e.ComponentDefined) -> str:
    where = f"  in {new.parent}" if new.parent else ""
    regions = f"  regions {', '.join(new.regions)}" if new.regions else ""
    return _defined(old, new, f"component {new.component} ({new.name}){where}{regions}")


def _defined(old: EventData | None, new: EventData, text: str) -> str:
    if old is None:
        return f"+ {text}"
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    changed = ", ".join(name for name, value in after.items() if before[name] != value)
    return f"~ {text}: {changed or 'nothing'} changed"


def _rules(old: list[e.Rule], new: list[e.Rule]) -> str:
    before, after = {rule.id: rule for rule in old}, {rule.id: rule for rule in new}
    parts = (
        ("added", [name for name in after if name not in before]),
        ("changed", [name for name in after if name in before and before[name] != after[name]]),
        ("removed", [name for name in before if name not in after]),
    )
    said = [f"{', '.join(names)} {what}" for what, names in parts if names]
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        said.append("another order")
    return "; ".join(said) or "nothing changed"

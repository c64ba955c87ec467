"""What components of another system are called here: by a person's word, by id, by name. It asks nobody.

A name that two components have is no name. What is not known is counted, so that the end of an import can say it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tocsin.people.person import FileError

Cell = Mapping[str, str]
_SHAPE = "components: NAME: CELL, and channels: NAME: CHANNEL"


class UnknownError(LookupError):
    """A component that has no counterpart here; the message names it."""


@dataclass(frozen=True)
class Map:
    """A person's word: cells here by ids or names there (none: what is to be forgotten), and channels by kinds there."""

    components: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Places:
    """The components of a page by id and by name, and what a person says of others."""

    ids: frozenset[str]
    names: Mapping[str, str]
    said: Map = field(default_factory=Map)
    unknown: Counter[str] = field(default_factory=Counter)

    def cells(self, wanted: Sequence[str]) -> list[Cell]:
        """Return the cells here, none where all of them are to be forgotten. Raises UnknownError with what is unknown."""
        found: list[Cell] = []
        unknown = []
        for one in wanted:
            cells = self._cells(one)
            if cells is None:
                unknown.append(one)
            else:
                found += [cell for cell in cells if cell not in found]
        self.unknown.update(unknown)
        if unknown:
            raise UnknownError(", ".join(repr(one) for one in unknown))
        return found

    def knows(self, text: str) -> bool:
        """Whether a text as a whole is a component."""
        return self._cells(text) is not None

    def _cells(self, text: str) -> Sequence[Cell] | None:
        if text in self.said.components:
            return self.said.components[text]
        known = text if text in self.ids else self.names.get(_plain(text))
        return None if known is None else [{"component": known}]


def places_of(tree: Sequence[Mapping[str, Any]], said: Map) -> Places:
    """Return the places of a page from the API's ``components``."""
    ids: set[str] = set()
    owners: dict[str, set[str]] = {}
    for component, names in _walked(tree, ""):
        ids.add(component)
        for name in names:
            owners.setdefault(_plain(name), set()).add(component)
    unique = {name: min(found) for name, found in owners.items() if len(found) == 1}
    strange = sorted(
        cell["component"] for cells in said.components.values() for cell in cells if cell["component"] not in ids
    )
    if strange:
        raise FileError(f"--map: the page has no component {strange[0]!r}")
    return Places(frozenset(ids), unique, said)


def read_map(path: Path) -> Map:
    """Read ``--map``; raises FileError."""
    try:
        said = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 -- makes texts, lists and mappings only
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not YAML") from error
    if not isinstance(said, dict) or not set(said) <= {"components", "channels"}:
        raise FileError(f"{path}: expected {_SHAPE}")
    components, channels = (said.get(name) or {} for name in ("components", "channels"))
    if not isinstance(components, dict) or not isinstance(channels, dict):
        raise FileError(f"{path}: expected {_SHAPE}")
    if not all(isinstance(value, str) and value for value in channels.values()):
        raise FileError(f"{path}: channels: expected a channel's name for each")
    return Map({str(name): _said(path, name, value) for name, value in components.items()}, channels)


def _said(path: Path, name: str, value: Any) -> tuple[Cell, ...]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise FileError(
            f"{path}: components: {name}: expected component, component:region, a list of these, or nothing"
        )
    return tuple(cell_of(text) for text in texts if text not in ("", "null", "~"))


def cell_of(text: str) -> Cell:
    """Read ``component`` or ``component:region``."""
    component, _, region = text.partition(":")
    return {"component": component, **({"region": region} if region else {})}


def _walked(tree: Sequence[Mapping[str, Any]], group: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each component with its names: alone, and as Statuspage writes it behind its group."""
    for one in tree:
        name = str(one["name"])
        yield str(one["id"]), (name, f"{group} - {name}") if group else (name,)
        yield from _walked(one.get("components") or (), name)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())

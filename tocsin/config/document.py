"""From the text of a YAML file to plain data, remembering where each value was written; it knows no setting.

Plain words keep their letters: only ``true``/``false``, ``null``/``~`` and decimal numbers are more than text, so that
the region ``no`` stays a region. A key without a value is as good as absent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tocsin.config.environment import substitute
from tocsin.config.problems import KeyPath, Place, shown

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40
MAX_VALUES = 50_000
"""Values after aliases are followed: an alias of an alias of an alias ends here."""

_NULL, _BOOL, _INT, _FLOAT, _TEXT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str"))
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _TooMuchError(Exception):
    """The file is nested too deeply or holds too many values; the message says which."""


class _Loader(yaml.SafeLoader):
    """Composes nodes with the few implicit types of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- PyYAML's own hook
    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Refuse what is nested too deeply: the composer recurses."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooMuchError(f"expected at most {MAX_DEPTH} levels of nesting")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    (_NULL, r"~|null|", ["~", "n", ""]),
    (_BOOL, r"true|false", ["t", "f"]),
    (_INT, r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    (_FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]{1,18}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?", list("-+.0123456789")),
    (_MERGE, r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


@dataclass
class Document:
    """The data of a file, the places of its values by path, and what was wrong with them."""

    data: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    errors: list[tuple[KeyPath, Place, str]] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """Return the place of a value, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1))


def read_document(text: str, environment: Mapping[str, str]) -> Document:
    """Read YAML; what is wrong stands in the result's ``errors``, nothing is raised."""
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, MappingNode):
            document.errors.append(((), Place(1), f"expected a mapping of keys at the top, got {_kind(node)}"))
            return document
        document.data = _Reader(document, environment).value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.errors.append(((), Place(mark.line + 1 if mark else 1), f"expected YAML: {error.problem}"))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.errors.append(((), Place(line), f"expected YAML: {error.reason}"))
    except _TooMuchError as error:
        document.errors.append(((), Place(1), str(error)))
    return document


def _kind(node: Node | None) -> str:
    match node:
        case ScalarNode():
            return shown(node.value)
        case SequenceNode():
            return "a list"
        case _:
            return "nothing"


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._values = 0

    def value(self, node: Node, path: KeyPath, key: Node | None = None) -> Any:
        """Return the data of a node; aliases are followed, so the number of values is bounded.

        A value's line is its key's, where it has one: that is where people look.
        """
        self._values += 1
        if self._values > MAX_VALUES or len(path) > MAX_DEPTH:
            raise _TooMuchError(f"expected at most {MAX_VALUES} values and {MAX_DEPTH} levels, aliases included")
        self._document.places[path] = Place((key or node).start_mark.line + 1)
        match node:
            case MappingNode(tag=tag) if tag in _COLLECTIONS:
                return self._mapping(node, path)
            case SequenceNode(tag=tag) if tag in _COLLECTIONS:
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, path)
            case _:
                return self._fail(node, path, f"expected plain YAML, got the tag {node.tag}")

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value_node in self._pairs(node, path):
            value = self.value(value_node, (*path, key.value), key)
            if value is not None:
                data[key.value] = value
        return data

    def _pairs(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[ScalarNode, Node]]:
        """Yield what the mapping holds: what is merged into it, but for its own keys, and its own keys."""
        own: dict[str, tuple[ScalarNode, Node]] = {}
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for source in value.value if isinstance(value, SequenceNode) else [value]:
                    self._merge(source, path, merged)
            elif not isinstance(key, ScalarNode) or key.tag != _TEXT:
                self._fail(key, path, f"expected a key that is text (in quotes, if need be), got {_kind(key)}")
            elif key.value in own:
                first = own[key.value][0].start_mark.line + 1
                self._fail(key, (*path, key.value), f"expected each key once, got it on line {first} too")
            else:
                own[key.value] = key, value
        yield from (merged | own).values()

    def _merge(self, source: Node, path: KeyPath, merged: dict[str, tuple[ScalarNode, Node]]) -> None:
        if not isinstance(source, MappingNode) or len(path) > MAX_DEPTH:
            self._fail(source, path, "expected << to be given a mapping")
            return
        self._values += 1
        if self._values > MAX_VALUES:
            raise _TooMuchError(f"expected at most {MAX_VALUES} values, aliases included")
        for key, value in source.value:
            if isinstance(key, ScalarNode) and key.tag == _TEXT:
                merged.setdefault(key.value, (key, value))
            else:
                self._fail(key, path, "expected a merged mapping with plain keys")

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        match node.tag:
            case tag if tag == _NULL:
                return None
            case tag if tag == _BOOL:
                return node.value == "true"
            case tag if tag == _INT:
                return int(node.value)
            case tag if tag == _FLOAT:
                return float(node.value)
            case tag if tag == _TEXT:
                return self._text(node, path)
            case _:
                return self._fail(node, path, f"expected plain YAML, got the tag {node.tag}")

    def _text(self, node: ScalarNode, path: KeyPath) -> str:
        result = substitute(node.value, self._environment)
        place = self._document.places[path] = Place(self._document.places[path].line, result.origins)
        self._document.errors.extend((path, place, error) for error in result.errors)
        return result.text

    def _fail(self, node: Node, path: KeyPath, message: str) -> None:
        self._document.errors.append((path, Place(node.start_mark.line + 1), message))

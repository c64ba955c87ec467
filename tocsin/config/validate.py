"""From plain data to settings, item by item, so that one broken rule does not hide what is wrong with the others.

It checks each item by itself; what holds between items is checked in ``checks``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from consumers.delivery.channels.registry import CHANNEL_OF_NAME
from consumers.delivery.settings import ChannelSettings, given
from tocsin.config.channels import settings_of
from tocsin.config.models import Config, Settings
from tocsin.config.problems import KeyPath, nearest, shown
from tocsin.config.table import described, expectation, keys_at

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Finding:
    """A mistake at a path; ``found`` may be shown where it is not a secret and not from the environment."""

    path: KeyPath
    message: str
    found: str = ""


@dataclass
class Pieces:
    """The data of a file, and those of its items that are right by themselves, by path."""

    data: dict[str, Any]
    valid: dict[KeyPath, Settings | ChannelSettings] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def of(self, kind: type[S]) -> list[tuple[KeyPath, S]]:
        """Return the valid items of a kind in the order of the file."""
        return [(path, item) for path, item in self.valid.items() if isinstance(item, kind)]


def validate(data: dict[str, Any]) -> Pieces:
    """Check every section of a file that is a mapping."""
    pieces = Pieces(data)
    for key in data.keys() - Config.model_fields.keys():
        pieces.findings.append(_unknown((key,)))
    for name, setting in Config.model_fields.items():
        if name in data and name == "channels":
            _validate_channels(data[name], pieces)
        elif name in data:
            for path, kind, value in _items((name,), given(setting.annotation), data[name], pieces):
                _validate(path, kind, value, pieces)
        elif setting.is_required():
            pieces.findings.append(_missing((name,)))
    return pieces


def assemble(pieces: Pieces) -> Config:
    """Put items without findings together."""
    sections: dict[str, Any] = {}
    for path, item in pieces.valid.items():
        match path:
            case (str(name),):
                sections[name] = item
            case (str(name), int()):
                sections[name] = (*sections.get(name, ()), item)
            case (str(name), str(key)):
                sections[name] = {**sections.get(name, {}), key: item}
            case _:
                raise AssertionError(path)
    return Config(**sections)


def _items(path: KeyPath, annotation: Any, value: Any, pieces: Pieces) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Yield the items of a section with their paths and types."""
    arguments: tuple[Any, ...] = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is tuple and isinstance(value, list):
            yield from (((*path, index), arguments[0], item) for index, item in enumerate(value))
        case origin if origin is dict and isinstance(value, dict):
            for key, item in value.items():
                _validate_key((*path, key), arguments[0], key, pieces)
                yield (*path, key), arguments[1], item
        case None:
            yield path, annotation, value
        case _:
            pieces.findings.append(_unexpected(path, value))


def _validate_key(path: KeyPath, kind: Any, key: str, pieces: Pieces) -> None:
    try:
        TypeAdapter(kind).validate_python(key)
    except ValidationError:
        pieces.findings.append(Finding(path, f"expected {described(kind).text}", f"the key {shown(key)}"))


def _validate(path: KeyPath, kind: Any, value: Any, pieces: Pieces) -> None:
    try:
        item = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        pieces.findings.extend(_finding(path, detail) for detail in error.errors(include_url=False))
    else:
        if isinstance(item, Settings):
            pieces.valid[path] = item


def _validate_channels(value: object, pieces: Pieces) -> None:
    if not isinstance(value, dict):
        pieces.findings.append(_unexpected(("channels",), value))
        return
    for name, settings in value.items():
        path = ("channels", name)
        if name not in CHANNEL_OF_NAME:
            pieces.findings.append(_unknown(path))
            continue
        found = settings_of(CHANNEL_OF_NAME[name].settings, settings, path)
        if isinstance(found, ChannelSettings):
            pieces.valid[path] = found
        else:
            pieces.findings.extend(_of_mistake(*mistake) for mistake in found)


def _of_mistake(what: str, path: KeyPath, value: object) -> Finding:
    match what:
        case "missing":
            return _missing(path)
        case "unknown":
            return _unknown(path)
        case "unexpected":
            return _unexpected(path, value)
        case _:
            return Finding(path, what)


def _finding(base: KeyPath, detail: ErrorDetails) -> Finding:
    path = (*base, *detail["loc"])
    match detail["type"]:
        case "missing":
            return _missing(path)
        case "extra_forbidden":
            return _unknown(path)
        case _ if path[-1] == "[key]":
            *above, key, _ = path
            return Finding(tuple(above), f"expected {expectation(tuple(above)).text}", f"the key {shown(key)}")
        case _:
            return _unexpected(path, detail["input"])


def _missing(path: KeyPath) -> Finding:
    return Finding(path, f"is missing: expected {expectation(path).text}")


def _unknown(path: KeyPath) -> Finding:
    keys = keys_at(path[:-1])
    return Finding(path, f"is not a setting: expected one of {', '.join(keys)}{nearest(str(path[-1]), keys)}")


def _unexpected(path: KeyPath, value: object) -> Finding:
    expected = expectation(path)
    if expected.secret:
        return Finding(path, f"expected {expected.text}")
    if isinstance(value, str) and "a mapping of keys" in expected.text:
        return Finding(path, f"expected {expected.text}", "text")  # it may be a secret in the wrong place
    hint = nearest(value, expected.options) if isinstance(value, str) else ""
    if isinstance(value, int | float) and expected.text.startswith(("text", "one line", "an id", "a template")):
        hint = " (put it in quotes)"
    return Finding(path, f"expected {expected.text}", shown(value) + hint)

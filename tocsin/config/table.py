"""Reads the table of settings (``models``): what a value at a path must be, and all settings as rows. It checks nothing.

What lies below ``channels`` is said by each channel's own settings (``consumers.delivery.settings``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from consumers.delivery.channels.registry import CHANNELS
from consumers.delivery.settings import Key, Secret, bare, given, is_settings, keys_of
from tocsin.config.models import ChannelsOf, Config
from tocsin.config.problems import KeyPath
from tocsin.config.values import Expect


@dataclass(frozen=True)
class Setting:
    """One row of the table: the key (``rules[].match.source``), what it must be, its default, what it is for."""

    key: str
    expected: str
    default: str
    description: str


@dataclass(frozen=True)
class Expectation:
    """What a value must be; ``options`` are the words to choose from, if it is a word."""

    text: str
    options: tuple[str, ...] = ()
    secret: bool = False


def expectation(path: KeyPath) -> Expectation:
    """Return what the value at ``path`` must be; of a key that does not exist, what it stands in."""
    return described(_annotation_at(path))


def keys_at(path: KeyPath) -> tuple[str, ...]:
    """Return the keys of the mapping at ``path``, if they are fixed."""
    return tuple(_fields(_annotation_at(path)) or ())


def settings() -> list[Setting]:
    """Return every setting, in the order of the models."""
    return list(_rows("", Config, ()))


def described(annotation: Any) -> Expectation:
    """Return what a value of this type must be."""
    annotation, kind = given(annotation), bare(annotation)
    # The outermost comes last: a source's id is an id, and more than that.
    for extra in reversed(get_args(annotation)[1:]) if get_origin(annotation) is Annotated else ():
        if isinstance(extra, Expect):
            options = tuple(extra.options()) if extra.options else ()
            return Expectation(extra.text, options, secret=kind is SecretStr)
        if isinstance(extra, msgspec.Meta) and extra.title:
            return Expectation(extra.title, secret=kind is Secret)
    if kind is bool:
        return Expectation("true or false")
    if get_origin(kind) is Literal:
        return Expectation(f"one of {', '.join(map(str, get_args(kind)))}", tuple(map(str, get_args(kind))))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Expectation(f"one of {', '.join(kind)}", tuple(kind))
    if get_origin(kind) is tuple:
        inner = described(get_args(kind)[0])
        return Expectation(f"a list, each {inner.text}", secret=inner.secret)
    if get_origin(kind) is dict and _fields(annotation) is None and _fields(get_args(kind)[1]) is None:
        return Expectation(f"a mapping, each value {described(get_args(kind)[1]).text}")
    return Expectation("a mapping of keys")


def _annotation_at(path: KeyPath) -> Any:
    annotation: Any = Config
    for step in path:
        inner = _step(annotation, step)
        if inner is None:
            break
        annotation = inner
    return annotation


def _step(annotation: Any, step: str | int) -> Any:
    fields = _fields(annotation)
    if fields is not None:
        found = fields.get(str(step))
        return None if found is None else found.annotation
    kind = bare(annotation)
    match get_origin(kind):
        case origin if origin is tuple:
            return get_args(kind)[0] if isinstance(step, int) else None
        case origin if origin is dict:
            return get_args(kind)[1]
        case _:
            return None


def _fields(annotation: Any) -> dict[str, Key] | None:
    """Return what lies below a mapping whose keys are fixed, by the keys that stand in the file; None for all else."""
    if annotation == ChannelsOf:
        return {one.name: Key(one.settings, None, "") for one in CHANNELS}
    kind = bare(annotation)
    if is_settings(kind):
        return keys_of(kind)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.alias or name: Key(
            hints[name], msgspec.UNSET if field.default is PydanticUndefined else field.default, field.description or ""
        )
        for name, field in kind.model_fields.items()
    }


def _rows(prefix: str, annotation: Any, above: tuple[Any, ...]) -> Iterator[Setting]:
    for name, key in (_fields(annotation) or {}).items():
        path = f"{prefix}{name}"
        inside, suffix = _inside(key.annotation)
        if inside is not None and inside not in (*above, annotation):
            yield from _rows(f"{path}{suffix}.", inside, (*above, annotation))
        else:
            yield Setting(path, described(key.annotation).text, _default(key), key.purpose)


def _inside(annotation: Any) -> tuple[Any, str]:
    """Return the mapping whose keys lie below a value of this type, and how a path gets there."""
    if any(isinstance(extra, Expect) for extra in get_args(given(annotation))[1:]):
        return None, ""
    if annotation == ChannelsOf:
        return annotation, ""
    kind = bare(annotation)
    match get_origin(kind):
        case origin if origin is tuple:
            kind, suffix = bare(get_args(kind)[0]), "[]"
        case origin if origin is dict:
            kind, suffix = bare(get_args(kind)[1]), ".<id>"
        case _:
            suffix = ""
    return (None, "") if _fields(kind) is None else (kind, suffix)


def _default(key: Key) -> str:
    if key.default is msgspec.UNSET:
        return "required"
    return "absent" if key.default is None else f"`{_written(key.default)}`"


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return f"{int(value.total_seconds()) // 60}m"
        case str():
            return value
        case Iterable():
            return "{}" if isinstance(value, dict) else "[]"
        case _:
            return str(value)

"""Reads the table of settings (``models``): what a value at a path must be, and all settings as rows. It checks nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tocsin.config.models import Config
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
    kind = _bare(_annotation_at(path))
    return tuple(_fields(kind)) if _is_model(kind) else ()


def settings() -> list[Setting]:
    """Return every setting, in the order of the models."""
    return list(_rows("", Config, ()))


def described(annotation: Any) -> Expectation:
    """Return what a value of this type must be."""
    annotation, kind = required(annotation), _bare(annotation)
    # The outermost comes last: a source's id is an id, and more than that.
    for extra in reversed(get_args(annotation)[1:]) if get_origin(annotation) is Annotated else ():
        if isinstance(extra, Expect):
            options = tuple(extra.options()) if extra.options else ()
            return Expectation(extra.text, options, secret=kind is SecretStr)
    if kind is bool:
        return Expectation("true or false")
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Expectation(f"one of {', '.join(kind)}", tuple(kind))
    if get_origin(kind) is tuple:
        inner = described(get_args(kind)[0])
        return Expectation(f"a list, each {inner.text}", secret=inner.secret)
    if get_origin(kind) is dict and not _is_model(_bare(get_args(kind)[1])):
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
    kind = _bare(annotation)
    if _is_model(kind):
        found = _fields(kind).get(str(step))
        return None if found is None else found[0]
    match get_origin(kind):
        case origin if origin is tuple:
            return get_args(kind)[0] if isinstance(step, int) else None
        case origin if origin is dict:
            return get_args(kind)[1]
        case _:
            return None


def _fields(model: type[BaseModel]) -> dict[str, tuple[Any, FieldInfo]]:
    """Return a model's annotations and fields by the keys that stand in the file."""
    hints = get_type_hints(model, include_extras=True)
    return {field.alias or name: (hints[name], field) for name, field in model.model_fields.items()}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def required(annotation: Any) -> Any:
    """Return an annotation without ``| None``."""
    if get_origin(annotation) in (Union, UnionType):
        return next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def _bare(annotation: Any) -> Any:
    """Strip ``| None`` and ``Annotated``."""
    annotation = required(annotation)
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _rows(prefix: str, model: type[BaseModel], above: tuple[type[BaseModel], ...]) -> Iterator[Setting]:
    for name, (annotation, field) in _fields(model).items():
        key = f"{prefix}{name}"
        kind, suffix = _inside(annotation)
        if kind is not None and kind not in (*above, model):
            yield from _rows(f"{key}{suffix}.", kind, (*above, model))
        else:
            yield Setting(key, described(annotation).text, _default(field), field.description or "")


def _inside(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the model whose keys lie below a value of this type, and how a path gets there."""
    if any(isinstance(extra, Expect) for extra in get_args(required(annotation))[1:]):
        return None, ""
    kind = _bare(annotation)
    match get_origin(kind):
        case origin if origin is tuple:
            kind, suffix = _bare(get_args(kind)[0]), "[]"
        case origin if origin is dict:
            kind, suffix = _bare(get_args(kind)[1]), ".<id>"
        case _:
            suffix = ""
    return (kind, suffix) if _is_model(kind) else (None, "")


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    return "absent" if value is None else f"`{_written(value)}`"


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

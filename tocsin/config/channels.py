"""Checks what stands under ``channels`` against the settings that the channel takes, value by value.

msgspec stops at the first mistake and speaks of types; a file's author is told all of them, in the words of the settings.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias, get_args, get_origin

import msgspec

from consumers.delivery.settings import (
    ChannelSettings,
    bare,
    convert_secret,
    is_settings,
    keys_of,
    metas,
    passes,
    read,
)
from tocsin.config.problems import KeyPath

Mistake: TypeAlias = tuple[str, KeyPath, object]
"""What is wrong (``missing``, ``unknown``, ``unexpected``, or a sentence for a whole mapping), where, and the value."""


def settings_of(kind: type[ChannelSettings], value: object, path: KeyPath) -> ChannelSettings | list[Mistake]:
    """Return the settings of a channel that takes this ``kind``, or all that is wrong with them."""
    mistakes = list(_mistakes(kind, value, path))
    if mistakes:
        return mistakes
    try:
        return read(kind, value)
    except msgspec.ValidationError as error:  # every value is right by itself, but not together
        return [(str(error).partition(" - at `")[0], path, None)]


def _mistakes(annotation: Any, value: object, path: KeyPath) -> Iterator[Mistake]:
    kind = bare(annotation)
    if is_settings(kind) and isinstance(value, dict):
        yield from _mistakes_in(kind, value, path)
    elif get_origin(kind) is tuple and isinstance(value, list):
        inner = get_args(kind)[0]
        found = [each for index, one in enumerate(value) for each in _mistakes(inner, one, (*path, index))]
        yield from found or _mistake_of(annotation, value, path)
    elif get_origin(kind) is dict and isinstance(value, dict):
        inner = get_args(kind)[1]
        found = [each for name, one in value.items() for each in _mistakes(inner, one, (*path, str(name)))]
        yield from found or _mistake_of(annotation, value, path)
    else:
        yield from _mistake_of(annotation, value, path)


def _mistakes_in(kind: type[ChannelSettings], value: dict[str, object], path: KeyPath) -> Iterator[Mistake]:
    keys = keys_of(kind)
    for name, key in keys.items():
        if name in value:
            yield from _mistakes(key.annotation, value[name], (*path, name))
        elif key.default is msgspec.UNSET:
            yield "missing", (*path, name), None
    for name in value:
        if name not in keys:
            yield "unknown", (*path, name), None


def _mistake_of(annotation: Any, value: object, path: KeyPath) -> Iterator[Mistake]:
    """Yield what is wrong with a value that holds no others that are."""
    try:
        converted = msgspec.convert(value, annotation, strict=False, dec_hook=convert_secret)
    except msgspec.ValidationError:
        yield "unexpected", path, value
    else:
        if not all(passes(meta, converted) for meta in metas(annotation)):
            yield "unexpected", path, value

"""Events of every type with any values that their types allow, however senseless: what a codec must bear."""

from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from schemas.events import AnyEvent, Event, EventData

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(["", "ü" * 64, "x" * 20_000])


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a field's type."""
    if get_origin(kind) is UnionType:
        return st.one_of(*map(values, get_args(kind)))
    if get_origin(kind) is list:
        return st.lists(values(get_args(kind)[0]), max_size=3)
    if get_origin(kind) is dict:
        return st.dictionaries(TEXTS, values(get_args(kind)[1]), max_size=3)
    if issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    if issubclass(kind, msgspec.Struct):
        fields = {field.name: values(field.type) for field in msgspec.structs.fields(kind)}
        return st.builds(kind, **fields)
    plain = {int: LONGS, str: TEXTS, bool: st.booleans(), bytes: st.binary(max_size=40), type(None): st.none()}
    return st.floats(allow_nan=False) if kind is float else plain[kind]


def events(kind: type[EventData]) -> st.SearchStrategy[AnyEvent]:
    """Return a strategy for events of one type."""
    maybe = st.none() | TEXTS
    return st.builds(Event, TEXTS, TEXTS, LONGS, LONGS, TEXTS, maybe, maybe, st.booleans(), values(kind))

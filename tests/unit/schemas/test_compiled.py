"""The compiled encoders and decoders against fastavro, byte for byte, for every type of event."""

from enum import StrEnum
from io import BytesIO
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec, compiled
from schemas.events import EVENT_TYPES, AnyEvent, Event, EventData

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["", "ü" * 64, "x" * 63, "x" * 20_000])


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
    plain = {int: LONGS, str: TEXTS, bool: st.booleans(), bytes: st.binary(), type(None): st.none()}
    return st.floats(allow_nan=False) if kind is float else plain[kind]


def events(kind: type[EventData]) -> st.SearchStrategy[AnyEvent]:
    """Return a strategy for events of one type."""
    maybe = st.none() | TEXTS
    return st.builds(Event, TEXTS, TEXTS, LONGS, LONGS, TEXTS, maybe, maybe, st.booleans(), values(kind))


def written_by_fastavro(event: AnyEvent) -> bytes:
    """Return the record as the codec of record writes it."""
    plain = msgspec.to_builtins(event, builtin_types=(bytes,))
    record = {**plain.pop("data"), "envelope": plain}
    out = BytesIO()
    schemaless_writer(out, codec.current()[type(event.data)].parsed, record)
    return out.getvalue()


@pytest.mark.parametrize("kind", EVENT_TYPES)
@settings(max_examples=8)
@given(data=st.data())
def test_writes_what_fastavro_writes_and_reads_it_back(kind: type[EventData], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    document = codec.current()[kind].document
    body = compiled.encoder(document)(event)
    assert body == written_by_fastavro(event)
    assert compiled.decoder(document, kind)(body) == event


@pytest.mark.parametrize("kind", EVENT_TYPES)
@settings(max_examples=8)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read_as_fastavro_reads_them(kind: type[EventData], data: st.DataObject) -> None:
    schema = codec.current()[kind]
    body = bytearray(codec.encode(data.draw(events(kind)))[1])
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))])
    try:
        event = compiled.decoder(schema.document, kind)(damaged)
    except (ValueError, LookupError):
        return
    record: Any = schemaless_reader(BytesIO(damaged), schema.parsed, None)
    assert msgspec.to_builtins(event, builtin_types=(bytes,)) == {**record.pop("envelope"), "data": record}


def test_what_does_not_fit_its_schema_is_refused_as_fastavro_refuses_it() -> None:
    kind = EVENT_TYPES[0]
    fields = {field.name: 2**63 for field in msgspec.structs.fields(kind)}
    with pytest.raises((TypeError, ValueError, OverflowError, AttributeError)):
        codec.encode(Event("id", "page", 2**63, 0, "actor", None, None, drill=False, data=kind(**fields)))

"""The compiled encoders and decoders against fastavro, byte for byte, for every type of event."""

from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec, compiled
from schemas.events import EVENT_TYPES, AnyEvent, Event, EventData
from tests.strategies.events import events


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

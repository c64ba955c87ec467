"""A version that adds a field with a default reads what the version before it wrote; other changes are seen."""

import copy
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from schemas import codec
from schemas.events import ComponentRemoved, Event

EVENT = Event("00", "acme", 1, 2, "config", None, None, drill=False, data=ComponentRemoved("fax"))


def second_version(*added: dict[str, Any]) -> Any:
    """Return the schema of a would-be version 2 of ``ComponentRemoved``."""
    document = copy.deepcopy(codec.current()[ComponentRemoved].document)
    document["fields"] += added
    return parse_schema(document, named_schemas={})


def read_by(reader: Any) -> Any:
    fingerprint, body = codec.encode(EVENT)
    return schemaless_reader(BytesIO(body), codec.schema_of(fingerprint).parsed, reader)


def test_a_field_with_a_default_is_added() -> None:
    reader = second_version({"name": "reason", "type": ["null", "string"], "default": None})
    assert read_by(reader) == codec.decode_record(*codec.encode(EVENT)) | {"reason": None}


def test_a_field_without_a_default_is_no_evolution() -> None:
    with pytest.raises(SchemaResolutionError):
        read_by(second_version({"name": "reason", "type": "string"}))


def test_what_the_new_version_writes_is_read_by_the_old_one() -> None:
    # A rollback must not stop at the events of the version that is taken back, as long as it knows their schema.
    writer = second_version({"name": "reason", "type": "string"})
    out = BytesIO()
    schemaless_writer(out, writer, codec.decode_record(*codec.encode(EVENT)) | {"reason": "replaced"})
    out.seek(0)
    read: Any = schemaless_reader(out, writer, codec.current()[ComponentRemoved].parsed)
    assert read == codec.decode_record(*codec.encode(EVENT))

"""The newest Avro record of an event and its Python type say the same: names, order, types, nullability, defaults."""

from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
import pytest

from schemas import codec
from schemas.events import EVENT_TYPES, Event, EventData

PLAIN = {"string": str, "long": int, "boolean": bool, "double": float, "bytes": bytes}
MISSING = object()


def agree(schema: Any, kind: Any) -> bool:
    """Whether a field's schema and its Python type hold the same values."""
    match schema:
        case ["null", other]:
            options = get_args(kind) if get_origin(kind) is UnionType else ()
            return len(options) == 2 and options[1] is type(None) and agree(other, options[0])
        case {"type": "record", "fields": fields}:
            return isinstance(kind, type) and issubclass(kind, msgspec.Struct) and disagreements(fields, kind) == []
        case {"type": "array", "items": items}:
            return get_origin(kind) is list and agree(items, get_args(kind)[0])
        case {"type": "map", "values": values}:
            return get_origin(kind) is dict and get_args(kind)[0] is str and agree(values, get_args(kind)[1])
        case "string":
            return kind is str or (isinstance(kind, type) and issubclass(kind, StrEnum))
        case _:
            return PLAIN.get(schema) is kind


def disagreements(fields: list[dict[str, Any]], kind: type[msgspec.Struct]) -> list[str]:
    """Return what differs between a record's fields and a Python type."""
    known = msgspec.structs.fields(kind)
    if [field["name"] for field in fields] != [field.name for field in known]:
        return [f"{kind.__name__}: {[field['name'] for field in fields]} are not {[field.name for field in known]}"]
    return [
        f"{kind.__name__}.{field.name}"
        for one, field in zip(fields, known, strict=True)
        if not agree(one["type"], field.type) or one.get("default", MISSING) != default_of(field)
    ]


def default_of(field: Any) -> Any:
    """Return the default of a Python field as JSON has it."""
    if field.default is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default)
    return MISSING if field.default_factory is msgspec.NODEFAULT else msgspec.to_builtins(field.default_factory())


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_schema_and_type_agree_field_by_field(kind: type[EventData]) -> None:
    envelope, *fields = codec.current()[kind].document["fields"]
    assert envelope["name"] == "envelope"
    assert disagreements(fields, kind) == []


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_the_record_is_named_like_its_type_and_says_what_it_is(kind: type[EventData]) -> None:
    document = codec.current()[kind].document
    assert (document["name"], document["namespace"]) == (kind.__name__, codec.NAMESPACE)
    assert document["doc"] == (kind.__doc__ or "").split("\n")[0].strip()


def test_the_envelope_agrees_but_for_the_data() -> None:
    envelope = codec.current()[EVENT_TYPES[0]].document["fields"][0]["type"]
    known = {field.name: field.type for field in msgspec.structs.fields(Event)}
    del known["data"]
    assert [field["name"] for field in envelope["fields"]] == list(known)
    assert [field["name"] for field in envelope["fields"] if not agree(field["type"], known[field["name"]])] == []


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("string", int), ("long", str), ("string", str | None), (["null", "string"], str), (["null", "long"], str | None),
        ({"type": "array", "items": "string"}, list[int]), ({"type": "map", "values": "string"}, dict[str, int]),
    ],
)  # fmt: skip
def test_a_disagreement_is_seen(schema: Any, kind: Any) -> None:
    assert not agree(schema, kind)

"""Events to bytes and back: Avro single-object encoding, by the schemas that stand beside this module.

Format: Avro 1.12 specification, "Single-object encoding": ``C3 01``, the CRC-64-AVRO fingerprint of the writer's
schema in little-endian order, then the record. The log keeps fingerprint and record apart; both engines share them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, cast

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint as avro_fingerprint
from fastavro.schema import to_parsing_canonical_form

from schemas import compiled, shapes
from schemas.events import EVENT_TYPE_OF_NAME, EVENT_TYPES, AnyEvent, Event, EventData

MARKER = b"\xc3\x01"
NAMESPACE = "tocsin"
shapes.learn(*EVENT_TYPES)
_ENVELOPE_FIELDS = (
    "id", "page", "occurred_at", "recorded_at", "actor", "causation_id", "correlation_id", "drill",
)  # fmt: skip


class UnknownSchemaError(LookupError):
    """A record was written with a schema that this version of Tocsin does not have."""


class UnwritableEventError(ValueError):
    """An event holds what no record can: half a surrogate pair, a number beyond 64 bits, a value of another type."""


class MalformedRecordError(ValueError):
    """A record's bytes do not follow the schema that their fingerprint names."""


@dataclass(frozen=True)
class Schema:
    """One version of one event's schema."""

    type: type[EventData]
    version: int
    document: dict[str, Any]
    parsed: dict[str, Any]
    fingerprint: bytes


@cache
def schemas() -> tuple[Schema, ...]:
    """Return every version of every event's schema, the versions of a type in ascending order."""
    folder = files("schemas") / "avro"
    envelope = json.loads((folder / "Envelope.avsc").read_text("utf-8"))
    found = []
    for kind in EVENT_TYPES:
        version = 1
        while (path := folder / f"{kind.__name__}.{version}.avsc").is_file():
            found.append(_schema(kind, version, json.loads(path.read_text("utf-8")), envelope))
            version += 1
    return tuple(found)


def _schema(kind: type[EventData], version: int, document: dict[str, Any], envelope: dict[str, Any]) -> Schema:
    # The envelope stands in one file and is written into each schema, so that each can be read by itself.
    fields = [{**field, "type": envelope} if field["name"] == "envelope" else field for field in document["fields"]]
    whole = {**document, "fields": fields}
    # Parsed means marked as such: fastavro would parse it again for every record, at the price of the record itself.
    parsed = cast(dict[str, Any], parse_schema(whole, named_schemas={}))
    return Schema(kind, version, whole, parsed, fingerprint_of(whole))


def fingerprint_of(document: dict[str, Any]) -> bytes:
    """Return the fingerprint of a schema (8 bytes): CRC-64-AVRO of its parsing canonical form, whatever its wording."""
    return bytes.fromhex(avro_fingerprint(to_parsing_canonical_form(document), "CRC-64-AVRO"))


@cache
def _by_fingerprint() -> dict[bytes, Schema]:
    return {schema.fingerprint: schema for schema in schemas()}


@cache
def current() -> dict[type[EventData], Schema]:
    """Return the newest schema of every event type: what is written."""
    return {schema.type: schema for schema in schemas()}


def schema_of(fingerprint: bytes) -> Schema:
    """Return the schema with this fingerprint; raises UnknownSchemaError."""
    try:
        return _by_fingerprint()[fingerprint]
    except KeyError:
        raise UnknownSchemaError(f"no schema has the fingerprint {fingerprint.hex()}") from None


def encode(event: AnyEvent) -> tuple[bytes, bytes]:
    """Return the fingerprint of the writer's schema and the Avro record of ``event``; raises UnwritableEventError."""
    kind = type(event.data)
    write = _encoder(kind)
    if write is not None:
        try:
            return current()[kind].fingerprint, write(event)
        except Exception:  # the compiled encoder does not say what is wrong: fastavro does, or it writes it after all
            return _encode_slowly(event)
    return _encode_slowly(event)


def _encode_slowly(event: AnyEvent) -> tuple[bytes, bytes]:
    schema = current()[type(event.data)]
    record = msgspec.to_builtins(event.data, builtin_types=(bytes,))
    record["envelope"] = {name: getattr(event, name) for name in _ENVELOPE_FIELDS}
    out = BytesIO()
    try:
        schemaless_writer(out, schema.parsed, record)
    except Exception as error:  # fastavro raises whatever the values lead to
        raise UnwritableEventError(f"{event.type} {event.id}: {error!r}") from error
    return schema.fingerprint, out.getvalue()


@cache
def _encoder(kind: type[EventData]) -> Callable[[AnyEvent], bytes] | None:
    try:
        return compiled.encoder(current()[kind].document)
    except compiled.NotCompiledError:
        return None


@cache
def _decoder(fingerprint: bytes) -> Callable[[bytes], AnyEvent] | None:
    """Return the compiled decoder of the newest schemas; records of older ones are resolved by fastavro."""
    schema = schema_of(fingerprint)
    # By fingerprint: threads that come first at the same moment may each have made schemas of their own.
    if fingerprint != current()[schema.type].fingerprint:
        return None
    try:
        return compiled.decoder(schema.document, schema.type)
    except compiled.NotCompiledError:
        return None


def decode_record(fingerprint: bytes, body: bytes) -> dict[str, Any]:
    """Return the record as plain values, resolved to today's schema; raises the two errors of this module."""
    writer = schema_of(fingerprint)
    reader = current()[writer.type]
    source = BytesIO(body)
    try:
        record = schemaless_reader(source, writer.parsed, None if fingerprint == reader.fingerprint else reader.parsed)
    except Exception as error:  # fastavro raises whatever the damaged bytes lead to
        raise MalformedRecordError(f"not a {writer.type.__name__}: {error!r}") from error
    if source.tell() != len(body):
        raise MalformedRecordError(f"not a {writer.type.__name__}: {len(body) - source.tell()} bytes too many")
    return cast(dict[str, Any], record)


def decode(fingerprint: bytes, body: bytes) -> AnyEvent:
    """Return the event that ``encode`` was given; raises UnknownSchemaError or MalformedRecordError."""
    read = _decoder(fingerprint)
    if read is not None:
        try:
            return read(body)
        except Exception:  # the compiled decoder does not say what is wrong: fastavro does, or it reads it after all
            return _decode_slowly(fingerprint, body)
    return _decode_slowly(fingerprint, body)


def _decode_slowly(fingerprint: bytes, body: bytes) -> AnyEvent:
    record = decode_record(fingerprint, body)
    envelope = record.pop("envelope")
    kind = _by_fingerprint()[fingerprint].type
    try:
        return Event(**envelope, data=msgspec.convert(record, kind))
    except msgspec.ValidationError as error:
        raise MalformedRecordError(f"not a {kind.__name__}: {error}") from error


def frame(fingerprint: bytes, body: bytes) -> bytes:
    """Return the record in single-object encoding."""
    return MARKER + fingerprint[::-1] + body


def unframe(message: bytes) -> tuple[bytes, bytes]:
    """Split a single-object message into fingerprint and record; raises MalformedRecordError."""
    if message[:2] != MARKER or len(message) < 10:
        raise MalformedRecordError("not an Avro single-object message")
    return message[9:1:-1], message[10:]


def data_to_json(event: AnyEvent) -> dict[str, Any]:
    """Return the event's own fields as JSON values (bytes as base64): what the audit log shows."""
    return cast(dict[str, Any], msgspec.to_builtins(event.data))


def type_named(name: str) -> type[EventData]:
    """Return the event type of this name; raises KeyError."""
    return EVENT_TYPE_OF_NAME[name]

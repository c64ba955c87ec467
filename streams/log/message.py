"""How a record travels as a message with a key, headers and a value: the same for every client that reads or writes it."""

from collections.abc import Iterable

from schemas.codec import MalformedRecordError
from schemas.wire import SINGLE_OBJECT, Framing
from streams.log.port import Record

TYPE = "type"
"""The header with the event's type, so that a consumer need not decode what it does not want."""
ORIGIN = "origin"
"""The header with which emission of a processor this is (``streams.log.origin``); absent from whatever else."""
_ID = "id"
_RECORDED_AT = "recorded_at"
Headers = Iterable[tuple[str, bytes]]


def key_of(record: Record) -> bytes:
    """Return the message's key."""
    return record.key.encode()


def value_of(record: Record, framing: Framing = SINGLE_OBJECT) -> bytes:
    """Return the message's value: the event, and before it the name of its schema."""
    return framing.frame(record.fingerprint, record.body)


def headers_of(record: Record) -> list[tuple[str, bytes]]:
    """Return the message's headers; a broker's own timestamp has milliseconds only, ours microseconds."""
    headers = [
        (_ID, record.id.encode()),
        (TYPE, record.type.encode()),
        (_RECORDED_AT, str(record.recorded_at).encode()),
    ]
    return [*headers, (ORIGIN, record.origin.encode())] if record.origin else headers


def type_of(headers: Headers) -> str | None:
    """Return the event's type, for less than the whole record costs; None where a stranger's message has none."""
    for name, value in headers:
        if name == TYPE:
            return value.decode("utf-8", "replace")
    return None


def record_of_message(
    topic: str, key: bytes | None, headers: Headers, value: bytes | None, framing: Framing = SINGLE_OBJECT
) -> Record:
    """Return the record that travelled.

    Raises MalformedRecordError for a stranger's message, UnknownSchemaError for one of ours whose schema cannot be
    found, and a registry's errors.
    """
    found = dict(headers)
    try:
        identifier, kind, at = (found[name].decode() for name in (_ID, TYPE, _RECORDED_AT))
        fingerprint, body = framing.unframe(value or b"", kind)
        origin = found.get(ORIGIN, b"").decode()
        return Record(topic, (key or b"").decode(), identifier, kind, int(at), fingerprint, body, origin)
    except (KeyError, ValueError) as error:
        raise MalformedRecordError(f"no event of ours: {error!r}") from error

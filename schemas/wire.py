"""How a message names the schema of the event in it: by our fingerprint, or by a schema registry's number. It asks nobody.

With a fingerprint it is Avro's single-object encoding (``schemas.codec``). With a number it is the wire format of
Confluent's registry: a zero byte, the number in four bytes, big-endian, then the same Avro record.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import NamedTuple, Protocol

from schemas import codec
from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.events import EVENT_TYPE_OF_NAME

MAGIC = b"\0"
_PREFIX = Struct(">cI")


class Writer(NamedTuple):
    """The schema that a record was written with: its fingerprint (8 bytes) and the type of the event."""

    fingerprint: bytes
    type: str


class Framing(Protocol):
    """What stands in a message's value before an event's record. Every framing reads what any other wrote."""

    def frame(self, fingerprint: bytes, body: bytes) -> bytes:
        """Return the message's value; raises UnknownSchemaError for a schema that the framing cannot name."""

    def unframe(self, message: bytes, kind: str) -> tuple[bytes, bytes]:
        """Split a message's value into fingerprint and record; ``kind`` is the event's type, as the header has it.

        Raises MalformedRecordError or UnknownSchemaError; where a registry has to be asked, its errors too.
        """


class SingleObjectFraming:
    """Avro's single-object encoding: the framing where no registry is configured."""

    def frame(self, fingerprint: bytes, body: bytes) -> bytes:
        return codec.frame(fingerprint, body)

    def unframe(self, message: bytes, kind: str) -> tuple[bytes, bytes]:
        if message[:1] == MAGIC and len(message) >= _PREFIX.size:
            number = _PREFIX.unpack_from(message)[1]
            raise UnknownSchemaError(f"its schema is number {number} of a registry, and no registry is configured")
        return codec.unframe(message)


SINGLE_OBJECT: Framing = SingleObjectFraming()


def as_single_object(framing: Framing, message: bytes, kind: str) -> bytes:
    """Return a message's value in single-object encoding, whichever way it came; ``kind`` is the event's type.

    What a stranger wrote, or a newer version, is returned as it is: nobody here reads it. Raises what ``unframe`` raises.
    """
    if message[:1] != MAGIC or kind not in EVENT_TYPE_OF_NAME:
        return message
    return codec.frame(*framing.unframe(message, kind))


class RegistryFraming:
    """The registry's wire format. Thread-safe; it remembers what every number means, which a registry never changes.

    ``numbers`` are those of the schemas that may be written, by fingerprint. ``resolve`` asks the registry for any other
    number that a message has.
    """

    def __init__(self, numbers: Mapping[bytes, int], resolve: Callable[[int], Writer]) -> None:
        self._resolve = resolve
        self._prefixes = {fingerprint: _PREFIX.pack(MAGIC, number) for fingerprint, number in numbers.items()}
        self._writers = {
            prefix: Writer(fingerprint, codec.schema_of(fingerprint).type.__name__)
            for fingerprint, prefix in self._prefixes.items()
        }

    def frame(self, fingerprint: bytes, body: bytes) -> bytes:
        try:
            return self._prefixes[fingerprint] + body
        except KeyError:
            raise UnknownSchemaError(f"no schema with the fingerprint {fingerprint.hex()} was registered") from None

    def unframe(self, message: bytes, kind: str) -> tuple[bytes, bytes]:
        writer = self._writers.get(message[: _PREFIX.size])
        if writer is None:
            if message[:1] != MAGIC:
                return codec.unframe(message)  # from before there was a registry
            writer = self._asked(message)
        if writer.type != kind:
            # A registry that lost its data gives the old numbers to other schemas, and an Avro record cannot tell.
            raise UnknownSchemaError(
                f"its schema is a {writer.type}'s and its type is {kind}: the registry's numbers are not those it was written with"
            )
        return writer.fingerprint, message[_PREFIX.size :]

    def _asked(self, message: bytes) -> Writer:
        if len(message) < _PREFIX.size:
            raise MalformedRecordError("not a message in the registry's wire format: it ends before its record")
        prefix = message[: _PREFIX.size]
        writer = self._resolve(_PREFIX.unpack(prefix)[1])
        self._writers[prefix] = writer
        return writer

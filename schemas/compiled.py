"""Encoders and decoders made to measure for the schemas that are written today; ``schemas.codec`` falls back on fastavro.

An encoder writes the bytes that fastavro would write. A decoder gives the event that fastavro's record would become, or
raises: it does not say what is wrong with bytes, and whoever calls it asks fastavro then. Both are made of one schema and
of the Python types of its record, as source text, because a call for every field would cost as much as fastavro.
Format: Avro 1.12 specification, "Binary Encoding".
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from itertools import count
from struct import Struct
from types import UnionType
from typing import Any, cast, get_args, get_origin

import msgspec

from schemas.events import AnyEvent, Event

_DOUBLE = Struct("<d")
_SHORT = 16_384
"""Lengths below this are looked up."""
_LONG_BITS = 64
_MOMENT_BYTES = 8
_GOING_ON = 0x0080808080808080
"""The bits that say of seven bytes that another follows, and of the eighth that none does."""


class NotCompiledError(TypeError):
    """A schema holds something that this module does not know, or differs from the Python types."""


def encoder(document: Mapping[str, Any]) -> Callable[[AnyEvent], bytes]:
    """Return the function from an event to its Avro record.

    ``document`` is the schema with every named type written out where it is used. Where the event's values do not fit the
    schema the function raises (whatever the values lead to).
    """
    pieces = _Pieces()
    items: list[str] = []
    for field in document["fields"]:
        value = "event" if field["name"] == "envelope" else f"data.{field['name']}"
        items += pieces.items(field["type"], value)
    made = _made(
        f"def encode(event):\n data = event.data\n return join(({', '.join(items)},))\n", "encode", dict(_ENCODING)
    )
    return cast(Callable[[AnyEvent], bytes], made)


def decoder(document: Mapping[str, Any], kind: type[msgspec.Struct]) -> Callable[[bytes], AnyEvent]:
    """Return the function from an Avro record to its event; raises for bytes that are not one (see the module)."""
    lines = _Lines()
    body = {field["name"]: field for field in document["fields"]}
    envelope = lines.struct(body.pop("envelope")["type"], Event, extra={"data": "data"})
    data = lines.struct({"type": "record", "fields": list(body.values())}, kind)
    lines.add(f"data = {data}")
    lines.add("if p != len(b): raise ValueError('the record is longer or shorter than its schema')")
    lines.add(f"return {envelope}")
    made = _made("def decode(b):\n p = 0\n" + lines.text, "decode", {**_DECODING, **lines.names})
    return cast(Callable[[bytes], AnyEvent], made)


def _made(source: str, name: str, names: dict[str, Any]) -> Any:
    # The text is made of schemas and types of this package, never of anything that arrives.
    exec(compile(source, f"<{name}>", "exec"), names)  # noqa: S102
    return names[name]


# --- writing ----------------------------------------------------------------------------------------


@lru_cache(maxsize=4_096)  # times repeat: all that one request brings is recorded at once
def _long(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> (_LONG_BITS - 1))
    if not 0 <= zigzag < 1 << _LONG_BITS:
        raise OverflowError("not a long")
    out = bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


_LENGTHS = tuple(_long.__wrapped__(length) for length in range(_SHORT))
_ENCODING = {"join": b"".join, "P": _LENGTHS, "L": _long, "double": _DOUBLE.pack, "SHORT": _SHORT}
_PREFIXED = "P[n] if (n := len({v})) < SHORT else L(n)"


class _Pieces:
    """Makes the text of expressions for bytes, each from the text of an expression for a value."""

    def __init__(self) -> None:
        self._numbers = count()

    def items(self, schema: Any, value: str) -> list[str]:
        """Return expressions whose bytes, one after the other, are ``value``."""
        match schema:
            case str():
                return self._primitive(schema, value)
            case ["null", other]:
                name = self._name()
                inner = ", ".join(self.items(other, name))
                return [f"*((b'\\0',) if ({name} := {value}) is None else (b'\\2', {inner}))"]
            case {"type": "record"}:
                return [
                    item for field in schema["fields"] for item in self.items(field["type"], f"{value}.{field['name']}")
                ]
            case {"type": "array", "items": item}:
                name = self._name()
                inner = ", ".join(self.items(item, name))
                return self._block(value, f"for {name} in {value}", inner)
            case {"type": "map", "values": item}:
                key, name = self._name(), self._name()
                inner = ", ".join([*self.items("string", key), *self.items(item, name)])
                return self._block(value, f"for {key}, {name} in {value}.items()", inner)
            case _:
                raise NotCompiledError(f"no encoder for {schema!r}")

    def _primitive(self, schema: str, value: str) -> list[str]:
        match schema:
            case "string":
                name = self._name()
                return [_PREFIXED.format(v=f"{name} := {value}.encode()"), name]
            case "bytes":
                return [_PREFIXED.format(v=value), value]
            case "long":
                return [f"L({value})"]
            case "boolean":
                return [f"(b'\\1' if {value} else b'\\0')"]
            case "double":
                return [f"double({value})"]
            case _:
                raise NotCompiledError(f"no encoder for {schema!r}")

    def _block(self, value: str, loop: str, inner: str) -> list[str]:
        return [f"*(({_PREFIXED.format(v=value)}, *[join(({inner},)) {loop}]) if {value} else ())", "b'\\0'"]

    def _name(self) -> str:
        return f"v{next(self._numbers)}"


# --- reading ----------------------------------------------------------------------------------------


def _far(body: bytes, at: int) -> tuple[int, int]:
    """Read a length or count that is not one byte; returns it and the position behind it."""
    value, at = _read_long(body, at)
    if value < 0:
        raise ValueError("a negative length")
    return value, at


def _read_long(body: bytes, at: int) -> tuple[int, int]:
    byte = body[at]
    if byte > 127 and (moment := _moment(body[at : at + _MOMENT_BYTES])) is not None:
        return moment, at + _MOMENT_BYTES
    return _read_varint(body, at)


@lru_cache(maxsize=4_096)
def _moment(raw: bytes) -> int | None:
    """Return the long that is exactly these eight bytes, as times of this century are; None where it is not."""
    word = int.from_bytes(raw, "little")
    if len(raw) < _MOMENT_BYTES or word & 0x8080808080808080 != _GOING_ON:
        return None
    word ^= _GOING_ON
    # Seven bits of each byte, pushed together in pairs: half the time of a loop over them.
    word = word & 0x007F007F007F007F | word >> 1 & 0x3F803F803F803F80
    word = word & 0x00003FFF00003FFF | word >> 2 & 0x0FFFC0000FFFC000
    word = word & 0x000000000FFFFFFF | word >> 4 & 0x00FFFFFFF0000000
    return (word >> 1) ^ -(word & 1)


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    byte = body[at]
    value = byte & 127
    shift = 7
    while byte > 127:
        at += 1
        byte = body[at]
        value |= (byte & 127) << shift
        shift += 7
    if value >> _LONG_BITS:
        raise ValueError("not a long")
    return (value >> 1) ^ -(value & 1), at + 1


_NEAR = tuple(byte >> 1 if byte < 128 and not byte & 1 else -1 for byte in range(256))
"""The length that a single byte says; -1 where it takes more, or is negative."""
_DECODING = {
    "near": _NEAR, "far": _far, "long": _read_long, "double": _DOUBLE.unpack_from, "truth": (False, True),
}  # fmt: skip


class _Lines:
    """Makes the text of statements that read ``b`` from ``p`` on, each value into a variable."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._lines: list[str] = []
        self._depth = 1
        self._numbers = count()

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def add(self, line: str) -> None:
        self._lines.append(" " * self._depth + line)

    def struct(self, schema: Mapping[str, Any], kind: Any, extra: Mapping[str, str] | None = None) -> str:
        """Read a record and return the expression that makes a ``kind`` of it."""
        types = {field.name: field.type for field in msgspec.structs.fields(kind)}
        given = dict(extra or {})
        if {field["name"] for field in schema["fields"]} | given.keys() != types.keys():
            raise NotCompiledError(f"{kind.__name__} and its schema have different fields")
        for field in schema["fields"]:
            given[field["name"]] = self._value(field["type"], types[field["name"]])
        return f"{self._named(kind)}({', '.join(given[name] for name in types)})"

    def _value(self, schema: Any, kind: Any) -> str:
        """Read one value and return the name of its variable."""
        name = f"v{next(self._numbers)}"
        match schema:
            case "string":
                self._length("n")
                self.add(f"{name} = {self._cast(kind, 'b[p:p + n].decode()')}; p += n")
            case "bytes":
                self._length("n")
                self.add(f"{name} = b[p:p + n]; p += n")
            case "long":
                self.add(f"{name}, p = long(b, p)")
            case "boolean":
                self.add(f"{name} = truth[b[p]]; p += 1")
            case "double":
                self.add(f"{name} = double(b, p)[0]; p += 8")
            case ["null", other]:
                self._optional(name, other, kind)
            case {"type": "record"}:
                self.add(f"{name} = {self.struct(schema, kind)}")
            case {"type": "array", "items": item}:
                self._array(name, item, get_args(kind)[0])
            case {"type": "map", "values": item}:
                self._map(name, item, get_args(kind)[1])
            case _:
                raise NotCompiledError(f"no decoder for {schema!r}")
        return name

    def _optional(self, name: str, schema: Any, kind: Any) -> None:
        if get_origin(kind) is not UnionType:
            raise NotCompiledError(f"{kind} is not optional, as its schema is")
        inner = next(one for one in get_args(kind) if one is not type(None))
        self.add("n = b[p]; p += 1")
        self.add(f"if not n: {name} = None")
        self.add("elif n == 2:")
        self._indented(lambda: self.add(f"{name} = {self._value(schema, inner)}"))
        self.add("else: raise ValueError('not a branch of the union')")

    def _array(self, name: str, schema: Any, kind: Any) -> None:
        self.add(f"{name} = []")
        self._block(name, lambda: self.add(f"{name}.append({self._value(schema, kind)})"))

    def _map(self, name: str, schema: Any, kind: Any) -> None:
        def entry() -> None:
            key = self._value("string", str)
            self.add(f"{name}[{key}] = {self._value(schema, kind)}")

        self.add(f"{name} = {{}}")
        self._block(name, entry)

    def _block(self, name: str, entry: Callable[[], None]) -> None:
        rest = f"{name}n"
        self._length(rest)
        self.add(f"while {rest}:")
        self._indented(lambda: self._entries(rest, entry))

    def _entries(self, rest: str, entry: Callable[[], None]) -> None:
        self.add(f"for _ in range({rest}):")
        self._indented(entry)
        self._length(rest)

    def _length(self, name: str) -> None:
        self.add(f"{name} = near[b[p]]; p += 1")
        self.add(f"if {name} < 0: {name}, p = far(b, p - 1)")

    def _indented(self, write: Callable[[], None]) -> None:
        self._depth += 1
        write()
        self._depth -= 1

    def _cast(self, kind: Any, text: str) -> str:
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            known = f"of_{kind.__name__}"
            self.names[known] = {member.value: member for member in kind}
            return f"{known}[{text}]"
        if kind is not str:
            raise NotCompiledError(f"a string is read as {kind}")
        return text

    def _named(self, kind: type) -> str:
        self.names[kind.__name__] = kind
        return kind.__name__

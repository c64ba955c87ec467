"""The kept examples of the contract: an event of each version to read, and the bytes that it was once written as.

``python -m tests.unit.schemas.kept`` records what is new: the fingerprint of a schema and the bytes of an example. It never
changes what was recorded before: a schema that was released stays as it is, and what changes is a new version.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas import codec
from schemas.codec import Schema
from schemas.events import EVENT_TYPE_OF_NAME, AnyEvent, Event

ROOT = Path(__file__).parents[3] / "schemas"
EXAMPLES, AVRO, FINGERPRINTS = ROOT / "examples", ROOT / "avro", ROOT / "fingerprints.json"
_HEX_DIGITS_PER_LINE = 96


class Example(NamedTuple):
    """One version of one type: the event as people read it, and the file of its single-object message in hex."""

    name: str
    version: int
    document: dict[str, Any]
    message: Path

    @property
    def event(self) -> AnyEvent:
        """The event as today's reader is to give it."""
        data = msgspec.json.decode(json.dumps(self.document["data"]), type=EVENT_TYPE_OF_NAME[self.name])
        return Event(**self.document["envelope"], data=data)

    @property
    def recorded(self) -> bytes:
        """The message as it was written when the version was new."""
        return bytes.fromhex(self.message.read_text("ascii"))


def examples() -> list[Example]:
    """Return all kept examples."""
    return [
        Example(path.parent.name, int(path.stem), json.loads(path.read_text("utf-8")), path.with_suffix(".hex"))
        for path in sorted(EXAMPLES.glob("*/*.json"))
    ]


def name_of(schema: Schema) -> str:
    """Return what a version is called: ``AlertReceived.1``."""
    return f"{schema.type.__name__}.{schema.version}"


def fingerprints() -> dict[str, str]:
    """Return the recorded fingerprints of all versions, in hex."""
    return dict(json.loads(FINGERPRINTS.read_text("utf-8")))


def record() -> Iterator[str]:
    """Record what is new and yield its names."""
    known = fingerprints() if FINGERPRINTS.exists() else {}
    fresh = {name_of(schema): schema.fingerprint.hex() for schema in codec.schemas()}
    yield from sorted(fresh.keys() - known.keys())
    FINGERPRINTS.write_text(json.dumps(dict(sorted((fresh | known).items())), indent=2) + "\n", "utf-8")
    for example in examples():
        if not example.message.exists():
            text = codec.frame(*codec.encode(example.event)).hex()
            lines = [text[at : at + _HEX_DIGITS_PER_LINE] for at in range(0, len(text), _HEX_DIGITS_PER_LINE)]
            example.message.write_text("\n".join(lines) + "\n", "ascii")
            yield f"{example.name}/{example.version}"


if __name__ == "__main__":
    print(*record(), sep="\n")

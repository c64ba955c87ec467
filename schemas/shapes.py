"""What msgspec knows of our types, learnt by one thread at a time. It knows no type itself.

msgspec 0.22 learns of a class when it first reads one, and shows it half learnt to a second thread that asks meanwhile:
that one follows a null pointer and takes the process with it. So nothing is read by type but through here, or by types
that were named to ``learn`` when their module was imported.
"""

from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_learning = Lock()
_decoders: dict[Any, "msgspec.json.Decoder[Any]"] = {}


def decoder(kind: type[T]) -> "msgspec.json.Decoder[T]":
    """Return the decoder of JSON values of this type; from any thread."""
    known = _decoders.get(kind)
    if known is None:
        with _learning:
            known = _decoders[kind] = msgspec.json.Decoder(kind)
    return known


def learn(*kinds: Any) -> None:
    """Have these types, and all that they are made of, known: ``msgspec.convert`` may then be given them by any thread."""
    for kind in kinds:
        decoder(kind)

"""JSON, value by value: an array, one array behind the other, a value a line, or pages of an API with ``data``.

However long the file is, one value is in memory at a time (of an API's pages, one page). It knows no fields.
"""

import json
from collections.abc import Iterator
from typing import IO, Any

from tocsin.people.person import FileError, Line

LONGEST = 16 * 1024 * 1024
"""Characters of one value."""
_CHUNK = 256 * 1024
_BETWEEN = " \t\r\n,[]"
_DECODER = json.JSONDecoder()


def lines(source: IO[str]) -> Iterator[Line]:
    """Yield every object, counted from 1. Raises FileError where there is no JSON."""
    number = 0
    for value in _values(source):
        page = value.get("data") if isinstance(value, dict) else None
        for one in page if isinstance(page, list) else [value]:
            number += 1
            yield Line(number, one) if isinstance(one, dict) else Line(number, {}, "is not an object")


def _values(source: IO[str]) -> Iterator[Any]:
    kept, at, ended = "", 0, False
    while True:
        while at < len(kept) and kept[at] in _BETWEEN:
            at += 1
        if at < len(kept):
            try:
                value, end = _DECODER.raw_decode(kept, at)
            except (json.JSONDecodeError, RecursionError) as error:
                if ended or len(kept) - at > LONGEST or isinstance(error, RecursionError):
                    raise FileError("the file is not JSON, or breaks off") from None
            else:
                # A number at the end may go on: what is no object is none of ours in any case.
                if end < len(kept) or ended or isinstance(value, dict):
                    yield value
                    at = end
                    continue
        elif ended:
            return
        chunk = source.read(max(_CHUNK, len(kept) - at))
        kept, at, ended = kept[at:] + chunk, 0, not chunk

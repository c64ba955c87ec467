"""Finds texts in plain data by a pattern of keys; what is not shaped like the pattern is passed over."""

from collections.abc import Iterator
from typing import Any

from tocsin.config.problems import KeyPath

EACH = "*"
"""Every item of a list or mapping."""
BELOW = "**"
"""The thing itself and all ``components`` below it."""


def texts_at(data: Any, pattern: tuple[str, ...], path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield each text that lies at ``pattern``, with its path: ``("rules", EACH, "match", "source")``."""
    match pattern:
        case ():
            if isinstance(data, str):
                yield path, data
        case ("*", *rest):
            items = enumerate(data) if isinstance(data, list) else data.items() if isinstance(data, dict) else ()
            for key, value in items:
                yield from texts_at(value, tuple(rest), (*path, key))
        case ("**", *rest):
            yield from texts_at(data, tuple(rest), path)
            if isinstance(data, dict):
                yield from texts_at(data.get("components"), (EACH, *pattern), (*path, "components"))
        case _:
            if isinstance(data, dict):
                yield from texts_at(data.get(pattern[0]), pattern[1:], (*path, pattern[0]))

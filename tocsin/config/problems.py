"""What is wrong with a configuration, and where; it never holds a secret and never decides what is right."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

_PLAIN_KEY = re.compile(r"[\w<>-]{1,80}")

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value lies: ``("rules", 0, "match", "source")``."""


@dataclass(frozen=True)
class Place:
    """Where a value was written: its line, and the environment variables (or their defaults) that it came from."""

    line: int
    origins: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The origin as people read it."""
        return " and ".join(self.origins) or "the file"


@dataclass(frozen=True)
class Problem:
    """One mistake: the file, the key, the line (None where the file could not be read) and what was expected."""

    file: str
    path: KeyPath
    place: Place | None
    message: str

    def __str__(self) -> str:
        if self.place is None:
            return f"{self.file}: {self.message}"
        key = f" {dotted(self.path)}:" if self.path else ""
        return f"{self.file}:{self.place.line}:{key} {self.message} (from {self.place.origin})"


class ConfigError(Exception):
    """A configuration that cannot be used; ``problems`` are all of its mistakes, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.place.line if problem.place else 0)
        super().__init__("\n".join(map(str, self.problems)))


def dotted(path: KeyPath) -> str:
    """Write a path as people do: ``rules[0].match.source``."""
    return "".join(map(_step, path)).removeprefix(".")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{shown(step)}]"


def _quoted(text: str) -> str:
    """Return the text in quotes and on one line, whatever it holds."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def nearest(word: str, options: Iterable[str]) -> str:
    """Return ``; did you mean "..."?`` for the option that is most like ``word``, or nothing."""
    found = get_close_matches(word, list(options), n=1, cutoff=0.5)
    return f"; did you mean {shown(found[0])}?" if found else ""


def shown(value: object) -> str:
    """Name a value in a message, shortly; not for secrets."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _quoted(value if len(value) <= 60 else value[:57] + "...")
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case _:
            return str(value)[:60]

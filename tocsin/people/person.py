"""What a line of a file of subscribers says, in our words: somebody to sign up, somebody to leave out, or a mistake.

It knows no format and no server. Addresses are kept out of every repr.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Line:
    """One line: ``number`` counts from 1 as editors do (of JSON, the values). ``broken`` says why it cannot be read."""

    number: int
    values: Mapping[str, Any] = field(repr=False)
    broken: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody to sign up. ``cells`` are as the API takes them, None for everything.

    ``pace`` holds the API's fields that say when they are told.
    ``agreed`` says that by the file they once confirmed: only then may an operator vouch for them. ``columns`` names the
    columns that the API's fields were read from, where the names differ.
    """

    channel: str
    address: str = field(repr=False)
    agreed: bool = True
    secret: str | None = field(default=None, repr=False)
    cells: Sequence[Mapping[str, str]] | None = None
    min_impact: str | None = None
    kinds: Sequence[str] | None = None
    pace: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    audience: str | None = None

    def body(self, *, confirmed: bool) -> dict[str, Any]:
        """Return what the API takes; ``confirmed`` says that the operator vouches for all who agreed."""
        given = {
            "channel": self.channel,
            "address": self.address,
            "secret": self.secret,
            "cells": None if self.cells is None else [dict(cell) for cell in self.cells],
            "min_impact": self.min_impact,
            "kinds": None if self.kinds is None else list(self.kinds),
            **self.pace,
            "audience": self.audience,
            "confirmed": True if confirmed and self.agreed else None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def column(self, name: str) -> str:
        """Return the column that a field of the API, as ``cells[0].component``, was read from."""
        plain = name.partition("[")[0].partition(".")[0]
        return self.columns.get(plain, plain)


@dataclass(frozen=True)
class Mistake:
    """Why a line is not imported; the words hold nothing of an address."""

    column: str
    message: str


@dataclass(frozen=True)
class LeftOut:
    """Somebody who is not to be signed up, and why."""

    reason: str


Reading: TypeAlias = Person | Mistake | LeftOut


class FileError(Exception):
    """A file that cannot be imported at all; the message says why."""

"""Carries a file of subscribers to a server: line by line in, batch by batch out, and a word on each line that fails.

It speaks to the server through ``send`` and to people through ``say``; what it holds in memory is one batch.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tocsin.people.formats import Format
from tocsin.people.person import LeftOut, Line, Mistake, Person
from tocsin.people.places import Places

MOST = 1_000
LARGEST = 512 * 1024
"""Bytes of one batch: half of what the server takes."""
Send = Callable[[Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]
"""Sends a batch of the API's subscribers, and returns the result of each."""
Say = Callable[[str], None]


@dataclass
class Counts:
    """What became of the lines; ``asked`` of the added ones are asked first."""

    lines: int = 0
    added: int = 0
    asked: int = 0
    known: int = 0
    left: int = 0
    refused: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class Carrying:
    """One import. ``confirmed`` says that the operator vouches for all who agreed there; ``unit`` names a line."""

    def __init__(self, send: Send, say: Say, *, confirmed: bool, unit: str = "line") -> None:
        self.counts = Counts()
        self._send = send
        self._say = say
        self._confirmed = confirmed
        self._unit = unit

    def carry(
        self, lines: Iterable[Line], form: Format, places: Places, progress: Callable[[int], None] = lambda _: None
    ) -> Counts:
        """Carry all lines over; ``progress`` is told the number of each line that is settled."""
        for batch in _batches(self._people(lines, form, places), self._confirmed):
            for (line, person, _), result in zip(batch, self._send([body for _, _, body in batch]), strict=True):
                self._settle(line, person, result)
            progress(batch[-1][0].number)
        return self.counts

    def _people(self, lines: Iterable[Line], form: Format, places: Places) -> Iterator[tuple[Line, Person]]:
        for line in lines:
            self.counts.lines += 1
            if line.broken:
                self._refuse(line, line.broken)
                continue
            for found in form.read(line, places):
                match found:
                    case Person():
                        yield line, found
                    case Mistake(column=column, message=message):
                        self._refuse(line, f"{column}: {message}")
                    case LeftOut(reason=reason):
                        self.counts.left_out[reason] += 1

    def _settle(self, line: Line, person: Person, result: dict[str, Any]) -> None:
        match result["status"]:
            case "added":
                self.counts.added += 1
                self.counts.asked += result["state"] == "pending"
            case "known":
                self.counts.known += 1
            case "left":
                self.counts.left += 1
            case _:
                told = (f"{person.column(error['field'])}: {error['message']}" for error in result["errors"])
                self._refuse(line, "; ".join(told))

    def _refuse(self, line: Line, why: str) -> None:
        self.counts.refused += 1
        self._say(f"{self._unit} {line.number}: {why}")


def _batches(
    people: Iterable[tuple[Line, Person]],
    confirmed: bool,  # noqa: FBT001 -- what the operator said, handed on
) -> Iterator[list[tuple[Line, Person, dict[str, Any]]]]:
    batch: list[tuple[Line, Person, dict[str, Any]]] = []
    size = 0
    for line, person in people:
        body = person.body(confirmed=confirmed)
        weight = len(msgspec.json.encode(body))
        if batch and (len(batch) == MOST or size + weight > LARGEST):
            yield batch
            batch, size = [], 0
        batch.append((line, person, body))
        size += weight
    if batch:
        yield batch

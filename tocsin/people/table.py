"""CSV, line by line: out as spreadsheets may open it without running anything, and in as spreadsheets write it.

A cell that begins with ``= + - @``, a tab or a carriage return is a formula to a spreadsheet, so an apostrophe goes before
it (OWASP, "CSV injection"), and off it again on the way in. It knows no columns.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from tocsin.people.person import FileError, Line

Spelling = Callable[[str], str]
LONGEST = 100_000
"""Characters of one cell; an open quotation mark would else swallow the rest of the file."""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DISARMED = re.compile(r"'+[=+\-@\t\r]")
_DELIMITERS = ",;\t"


def disarmed(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; ``armed`` gives back what it was."""
    return f"'{text}" if _FORMULA.match(text) else text


def armed(text: str) -> str:
    """Return what ``disarmed`` was given; a cell that it did not touch stays."""
    return text[1:] if _DISARMED.match(text) else text


def writer(out: IO[str], columns: Sequence[str]) -> Callable[[Sequence[str]], None]:
    """Write the first line, and return what writes each row."""
    rows = csv.writer(out, lineterminator="\r\n")  # as RFC 4180 has it; of another end, a lone \r would go unquoted
    rows.writerow(columns)
    return lambda cells: rows.writerow([disarmed(cell) for cell in cells])


def columns_of(source: IO[str]) -> tuple[list[str], Any]:
    """Read the first line; return the columns' names as written, and the reader of the others. Raises FileError."""
    first = source.readline(LONGEST)
    if not first.strip():
        raise FileError("the file is empty; its first line names the columns")
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(LONGEST)
    columns = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise FileError(f"line 1 names the column {twice[0]!r} twice")
    return columns, csv.reader(source, delimiter=delimiter)


def lines(columns: Sequence[str], rows: Any) -> Iterator[Line]:
    """Yield the lines behind the first one; empty ones are passed over. Cells are stripped of blanks."""
    while True:
        number = rows.line_num + 2
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield Line(number, {}, f"has a cell of more than {LONGEST:,} characters: is a quotation mark left open?")
            continue
        if any(cell.strip() for cell in cells):
            yield _line(number, columns, cells)


def _line(number: int, columns: Sequence[str], cells: Sequence[str]) -> Line:
    if any(extra.strip() for extra in cells[len(columns) :]):
        return Line(number, {}, f"has {len(cells)} cells, and the first line names {len(columns)} columns")
    values = {name: armed(cell.strip()) for name, cell in zip(columns, cells, strict=False) if name}
    strange = [name for name, value in values.items() if not _is_text(value)]
    if strange:
        return Line(number, {}, f"is not UTF-8 in the column {strange[0]}")
    return Line(number, values)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # what was no UTF-8 was read as lone surrogates
        return False
    return True

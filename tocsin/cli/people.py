"""``tocsin subscriber export`` and ``import``: whole lists of subscribers, over the HTTP API. No address is ever printed."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tocsin.cli.connection import Desk, at_a_desk
from tocsin.cli.datafolder import Bar
from tocsin.cli.failures import FailedError, exists
from tocsin.cli.output import warn
from tocsin.client import ClientError, RefusedError, UnreachableError, path_of
from tocsin.people.person import FileError

if TYPE_CHECKING:
    from tocsin.people.carrying import Counts
    from tocsin.people.formats import Format
    from tocsin.people.person import Line
    from tocsin.people.places import Places

T = TypeVar("T")
_NEVER = threading.Event()
_PAGE = 1_000
_PAUSES = (1, 2, 4, 8, 15)
"""Seconds before a batch is sent again that did not get through; a batch may come twice."""
_BUSY = frozenset({429, 502, 503, 504})


class Origin(StrEnum):
    """Whose file it is."""

    TOCSIN = "tocsin"
    STATUSPAGE = "statuspage"
    CACHET = "cachet"


@at_a_desk
def export_command(
    desk: Desk, file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Readable by you alone.")]
) -> None:
    """Write all subscribers to a CSV file, their addresses in clear; needs the role admin."""
    from tocsin.people import own, table  # noqa: PLC0415 -- other commands start without it

    count = 0
    with _replacing(file) as out, Bar("exporting", None) as bar:
        write = table.writer(out, own.COLUMNS)
        after = None
        while True:
            query = {"limit": _PAGE, "after": after}
            part = _patiently(partial(desk.get, "subscribers", "export", query=query))
            for subscriber in part["subscribers"]:
                write(own.row_of(subscriber))
            count += len(part["subscribers"])
            bar(count)
            if (after := part["next"]) is None:
                break
    desk.answer({"exported": count}, lambda _: print(f"exported {count} subscribers to {file}"))


@at_a_desk
def import_command(
    desk: Desk,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="From other systems also FILE.json.")],
    origin: Annotated[Origin, typer.Option("--from", help="Whose file it is.")] = Origin.TOCSIN,
    known_as: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE.yaml", help="With --from: what components and channels are called here."),
    ] = None,
    *,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="You have proof that they agreed: whoever did is active, and not asked again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:  # fmt: skip
    """Sign up everybody in a file. What is wrong is named by line and left out; the same file again changes nothing."""
    from tocsin.people.carrying import Carrying  # noqa: PLC0415 -- as above
    from tocsin.people.formats import FORMAT_OF_NAME  # noqa: PLC0415 -- as above

    if known_as is not None and origin is Origin.TOCSIN:
        raise typer.BadParameter("goes with --from statuspage or --from cachet", param_hint="--map")
    exists(file, "the file")
    form = FORMAT_OF_NAME[origin]
    is_json = file.suffix.lower() in (".json", ".jsonl", ".ndjson")
    if is_json and not form.json:
        raise typer.BadParameter("only CSV is taken without --from", param_hint="FILE.csv")
    carrying = Carrying(_sending(desk, dry_run=dry_run), warn, confirmed=confirmed, unit="value" if is_json else "line")
    try:
        places = _places(desk, known_as, needed=origin is not Origin.TOCSIN)
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as source:
            lines = _lines(source, form, is_json=is_json)
            with Bar("importing", _length(file, is_json=is_json)) as bar:
                carrying.carry(lines, form, places, bar)
    except FileError as error:
        raise FailedError(f"{file.name}: {error}{_so_far(carrying.counts)}") from error
    except ClientError as error:
        raise FailedError(f"{error}{_so_far(carrying.counts)}") from error
    _print_counts(desk, carrying.counts, places, dry_run=dry_run)
    if carrying.counts.refused:
        raise typer.Exit(1)


def _lines(source: IO[str], form: "Format", *, is_json: bool) -> "Iterator[Line]":
    from tocsin.people import json_values, table  # noqa: PLC0415 -- as above

    if is_json:
        return json_values.lines(source)
    columns, rows = table.columns_of(source)
    form.check(columns)
    return table.lines(columns, rows)


def _places(desk: Desk, known_as: Path | None, *, needed: bool) -> "Places":
    from tocsin.people.places import Map, places_of, read_map  # noqa: PLC0415 -- as above

    if not needed:
        return places_of([], Map())
    said = Map() if known_as is None else read_map(known_as)
    return places_of(desk.get("components")["components"], said)


def _sending(desk: Desk, *, dry_run: bool) -> Callable[[Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]:
    def send(batch: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        path = path_of("pages", desk.page, "subscribers", "batch")
        answer = _patiently(lambda: desk.client.post(path, {"subscribers": list(batch), "dry_run": dry_run}))
        results: Sequence[dict[str, Any]] = answer.document["results"]
        return results

    return send


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again where the server is busy or away; to be used for what may be asked twice. Raises ClientError."""
    for pause in _PAUSES:
        try:
            return ask()
        except RefusedError as error:
            if error.status not in _BUSY:
                raise
        except UnreachableError:
            pass
        _NEVER.wait(pause)
    return ask()


def _length(file: Path, *, is_json: bool) -> int | None:
    """Return how many lines there are, where somebody is looking."""
    if is_json or not sys.stderr.isatty():
        return None
    with file.open("rb") as source:
        return sum(1 for _ in source)


@contextmanager
def _replacing(file: Path) -> Iterator[IO[str]]:
    """Open a file for writing that takes the place of ``file`` once it is whole; only its owner may read it."""
    unfinished = file.with_name(f"{file.name}.partial")
    unfinished.unlink(missing_ok=True)
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123 -- a descriptor is no path
            yield out
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _so_far(counts: "Counts") -> str:
    if not counts.added:
        return ""
    return f"\n{counts.added} were added before that; the same command goes on, and adds nobody twice"


def _print_counts(desk: Desk, counts: "Counts", places: "Places", *, dry_run: bool) -> None:
    document = {
        "lines": counts.lines, "added": counts.added, "asked": counts.asked, "known": counts.known, "left": counts.left,
        "left_out": dict(counts.left_out), "refused": counts.refused, "unknown_components": dict(places.unknown),
        "dry_run": dry_run,
    }  # fmt: skip
    desk.answer(document, lambda _: _show(counts, places, dry_run=dry_run))


def _show(counts: "Counts", places: "Places", *, dry_run: bool) -> None:
    would, are = ("would be ", "would be") if dry_run else ("", "are")
    print(
        f"{would}added {counts.added} of {counts.lines} lines; {counts.known} were known, {counts.refused} {are} refused"
    )
    if counts.asked:
        print(f"{counts.asked} of the added {are} asked to confirm first")
    if counts.left:
        print(f"{counts.left} once left this page, and are not brought back")
    for reason, count in counts.left_out.most_common():
        print(f"{count} left out: {reason}")
    for name, count in places.unknown.most_common():
        print(f"{count} chose {name!r}, which is no component here; --map says what it is")

"""``tocsin log``: what lies on the log, out of it and into it, and whether it is what was written."""

import os
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from streams.log.port import EventLog, LogError, Stored
from streams.log.sqlite import SqliteEventLog
from tocsin.cli.datafolder import DEFAULT_DATA, Bar, DataOption, last_offset, printable
from tocsin.cli.engines import ConfigOption, EngineOption, chosen, reading_log
from tocsin.cli.failures import FailedError, exists
from tocsin.cli.tailing import Line, last_lines, lines_after

app = typer.Typer(no_args_is_help=True, help="Show, verify, export and import the log.")
_POLL_SECONDS = 0.25
_LINES = 20
_NEVER = threading.Event()
_SAME = "the log's chains end as the file's do"
_OTHER = "the log's chains are its own: they do not hold just the file's events in the file's partitions"

FileArgument = Annotated[Path, typer.Argument(metavar="FILE.avro", help="An Avro container file.")]


@app.command()
def tail(
    data: DataOption = DEFAULT_DATA,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="T", help="Only events of this type; may be repeated.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="CURSOR", help="Begin behind the event that --json shows with it; 0: all."),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", min=0, help="Without --from: how many of the newest.")] = _LINES,
    engine: EngineOption = None,
    config: ConfigOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is appended, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Print the log's events, oldest first: the newest, or all from a cursor on."""
    wanted = _known_types(types)
    with reading_log(data, chosen(engine, config)) as log:
        try:
            cursor = _print_last(log, wanted, lines, as_json=as_json) if start is None else start
            while True:
                cursor = _print_from(log, cursor, wanted, as_json=as_json)
                if not follow:
                    return
                _NEVER.wait(_POLL_SECONDS)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--from") from error
        except KeyboardInterrupt:
            return


@app.command("export")
def export_command(
    file: FileArgument, data: DataOption = DEFAULT_DATA, engine: EngineOption = None, config: ConfigOption = None
) -> None:
    """Write the whole log to an Avro container file; one that exists is replaced once the new one is whole."""
    from streams.log.container import export_log  # noqa: PLC0415 -- other commands start without Avro

    unfinished = file.with_name(f"{file.name}.partial")
    try:
        with (
            reading_log(data, chosen(engine, config), chained=True) as log,
            unfinished.open("wb") as out,
            Bar("exporting", _size(log)) as bar,
        ):
            count = export_log(log, out, progress=bar)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"exported {count} events to {file}")


@app.command("import")
def import_command(
    file: FileArgument,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="A folder that no server is using.")]
    = DEFAULT_DATA,
) -> None:  # fmt: skip
    """Append the events of an exported file that the log does not have; may be repeated after it broke off."""
    from streams.log.container import import_log  # noqa: PLC0415 -- as above
    from tocsin.folder import FolderInUseError, FolderLock  # noqa: PLC0415 -- as above

    exists(file, "the file")
    try:
        with FolderLock(data), file.open("rb") as source, Bar("importing", None) as bar:
            log = SqliteEventLog(data)
            try:
                done = import_log(log, source, progress=bar)
            finally:
                log.close()
    except (FolderInUseError, LogError, sqlite3.Error) as error:
        raise FailedError(str(error)) from error
    there = done.records - done.added - done.repeated
    print(f"imported {done.added} of {done.records} events; {there} were there")
    if done.repeated:
        print(f"{done.repeated} stood in the file a second time, and only the first of them counts")
    print(_SAME if done.chains_agree else _OTHER)


@app.command()
def verify(
    data: DataOption = DEFAULT_DATA,
    known_head: Annotated[
        str | None, typer.Option("--head", metavar="HASH", help="A head noted earlier, or its hash alone.")
    ] = None,
    engine: EngineOption = None,
    config: ConfigOption = None,
) -> None:
    """Walk the log: chain, columns, places, positions; print its head, or exit with 1 and where it breaks."""
    with reading_log(data, chosen(engine, config)) as log, Bar("verifying", _size(log)) as bar:
        try:
            events, partitions, head = _verified(log, known_head, bar)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--head") from error
    print(f"verified {events} events in {partitions} partitions")
    print(f"head {head}")


def _verified(log: EventLog, known_head: str | None, bar: Bar) -> tuple[int, int, str]:
    from consumers.audit import fleet_verify, verify  # noqa: PLC0415 -- as above
    from consumers.audit.stages import processors  # noqa: PLC0415 -- as above

    if isinstance(log, SqliteEventLog):
        expected = None if known_head is None else verify.noted(known_head)
        found = verify.verify(log, processors(), known_head=expected, progress=bar)
        return found.events, found.partitions, found.head
    noted = None if known_head is None else fleet_verify.noted(known_head)
    parts = fleet_verify.verify(log, processors(), known_head=noted, progress=bar)
    return parts.events, parts.partitions, parts.head


def _size(log: EventLog) -> int | None:
    """Return how many events there are, where that is known at once."""
    return last_offset(log) if isinstance(log, SqliteEventLog) else None


def _known_types(types: list[str] | None) -> frozenset[str] | None:
    from schemas.events import EVENT_TYPE_OF_NAME  # noqa: PLC0415 -- as above

    unknown = sorted(set(types or ()) - EVENT_TYPE_OF_NAME.keys())
    if unknown:
        raise typer.BadParameter(f"there is no event type {unknown[0]}", param_hint="--type")
    return frozenset(types) if types else None


def _print_last(log: EventLog, wanted: frozenset[str] | None, lines: int, *, as_json: bool) -> str | None:
    found, cursor = last_lines(log, wanted, lines)
    _print(found, wanted, as_json=as_json)
    return cursor


def _print_from(log: EventLog, cursor: str | None, wanted: frozenset[str] | None, *, as_json: bool) -> str:
    while True:
        found, cursor = lines_after(log, cursor)
        _print(found, wanted, as_json=as_json)
        if not found:
            return cursor


def _print(lines: Sequence[Line], wanted: frozenset[str] | None, *, as_json: bool) -> None:
    from consumers.audit.events import item_of  # noqa: PLC0415 -- as above

    for line in lines:
        if wanted is None or line.stored.record.type in wanted:
            item = item_of(line.stored)
            print(_json_line(line, item) if as_json else _line(line.stored, item))
    sys.stdout.flush()


def _json_line(line: Line, item: dict[str, Any]) -> str:
    stored = line.stored
    place = {"partition": stored.partition, "offset": stored.offset, "key": stored.record.key}
    return msgspec.json.encode({"cursor": line.cursor, **item, **place}).decode()


def _line(stored: Stored, item: dict[str, Any]) -> str:
    data = msgspec.json.encode(item["data"]).decode()
    return printable(
        f"{item['recorded_at']} {stored.place} {item['type']} {stored.record.key} by {item['actor'] or '?'} {data}"
    )

"""``tocsin log``: what lies on the log, out of it and into it, and whether it is what was written."""

import os
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from streams.log.port import LogError, Stored
from streams.log.sqlite import SqliteEventLog
from tocsin.cli.datafolder import DEFAULT_DATA, Bar, DataOption, last_offset, printable, reading
from tocsin.cli.failures import FailedError, exists

app = typer.Typer(no_args_is_help=True, help="Show, verify, export and import the log.")
_CHUNK = 500
_POLL_SECONDS = 0.25
_LINES = 20
_NEVER = threading.Event()
_SAME = "the log's chains end as the file's do"
_OTHER = "the log's chains are its own: it holds other events too, or its topics have other partitions"

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
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is appended, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Print the log's events, oldest first: the newest, or all from a cursor on."""
    wanted = _known_types(types)
    with reading(data) as log:
        cursor = _newest(log, wanted, lines) if start is None else start
        try:
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
def export_command(file: FileArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Write the whole log to an Avro container file; one that exists is replaced once the new one is whole."""
    from streams.log.container import export_log  # noqa: PLC0415 -- other commands start without Avro

    unfinished = file.with_name(f"{file.name}.partial")
    try:
        with reading(data) as log, unfinished.open("wb") as out, Bar("exporting", last_offset(log)) as bar:
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
    print(f"imported {done.added} of {done.records} events; {done.records - done.added} were there")
    print(_SAME if done.chains_agree else _OTHER)


@app.command()
def verify(
    data: DataOption = DEFAULT_DATA,
    known_head: Annotated[
        str | None, typer.Option("--head", metavar="HASH", help="A head noted earlier: OFFSET-HASH, or the hash alone.")
    ] = None,
) -> None:
    """Walk the log: chain, columns, places, positions; print its head, or exit with 1 and where it breaks."""
    from consumers.audit.stages import processors  # noqa: PLC0415 -- as above
    from consumers.audit.verify import noted  # noqa: PLC0415 -- as above
    from consumers.audit.verify import verify as verify_log  # noqa: PLC0415 -- as above

    try:
        expected = None if known_head is None else noted(known_head)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--head") from error
    with reading(data) as log, Bar("verifying", last_offset(log)) as bar:
        found = verify_log(log, processors(), known_head=expected, progress=bar)
    print(f"verified {found.events} events in {found.partitions} partitions")
    print(f"head {found.head}")


def _known_types(types: list[str] | None) -> frozenset[str] | None:
    from schemas.events import EVENT_TYPE_OF_NAME  # noqa: PLC0415 -- as above

    unknown = sorted(set(types or ()) - EVENT_TYPE_OF_NAME.keys())
    if unknown:
        raise typer.BadParameter(f"there is no event type {unknown[0]}", param_hint="--type")
    return frozenset(types) if types else None


def _newest(log: SqliteEventLog, wanted: frozenset[str] | None, lines: int) -> str:
    """Return the cursor before the last ``lines`` events of the wanted types."""
    if not lines:
        return str(last_offset(log) + 1)
    types = msgspec.json.encode(sorted(wanted or ())).decode()
    statement = (
        "select min(seq) from (select seq from log"
        " where ? or type in (select value from json_each(?)) order by seq desc limit ?)"
    )
    (found,) = log.query(statement, (wanted is None, types, lines))[0]
    return str(found or 0)


def _print_from(log: SqliteEventLog, cursor: str, wanted: frozenset[str] | None, *, as_json: bool) -> str:
    from consumers.audit.events import item_of  # noqa: PLC0415 -- as above

    while True:
        found, cursor = log.scan(cursor, _CHUNK)
        for stored in found:
            if wanted is None or stored.record.type in wanted:
                item = item_of(stored)
                print(_json_line(stored, item) if as_json else _line(stored, item))
        sys.stdout.flush()
        if not found:
            return cursor


def _json_line(stored: Stored, item: dict[str, Any]) -> str:
    place = {"partition": stored.partition, "offset": stored.offset, "key": stored.record.key}
    return msgspec.json.encode({"cursor": str(stored.offset + 1), **item, **place}).decode()


def _line(stored: Stored, item: dict[str, Any]) -> str:
    data = msgspec.json.encode(item["data"]).decode()
    return printable(
        f"{item['recorded_at']} {stored.place} {item['type']} {stored.record.key} by {item['actor'] or '?'} {data}"
    )

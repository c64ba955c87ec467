"""``tocsin replay``: the log folded anew, to see a page as of some moment or to hold the live projections against it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tocsin.cli.datafolder import DEFAULT_DATA, Bar, DataOption, last_offset, printable, reading
from tocsin.cli.failures import FailedError
from tocsin.cli.output import table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def replay_command(
    data: DataOption = DEFAULT_DATA,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only what was recorded up to then: ISO 8601, or Unix seconds.")
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Compare with the live projections, row by row.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Fold the log anew: print every page as of a moment, or compare with what the server has. Needs no configuration."""
    if check and until is not None:
        raise typer.BadParameter("--check compares as of where the projections are; --until cannot be given with it")
    moment = None if until is None else _micros(until)
    if check:
        _check(data, as_json=as_json)
    else:
        _show(data, moment, as_json=as_json)


def _check(data: Path, *, as_json: bool) -> None:
    from consumers.audit.check import check as compare  # noqa: PLC0415 -- commands over HTTP start without all this
    from consumers.audit.parts import Difference  # noqa: PLC0415 -- as above
    from consumers.audit.stages import replay_stages  # noqa: PLC0415 -- as above
    from streams.runtime.stage import StepError  # noqa: PLC0415 -- as above

    with reading(data) as log, Bar("replaying", last_offset(log)) as bar:
        try:
            found = compare(log, replay_stages(), bar)
        except StepError as error:
            raise FailedError(str(error)) from error
    if as_json:
        print(msgspec.json.encode({"agrees": not isinstance(found, Difference), **msgspec.to_builtins(found)}).decode())
    elif not isinstance(found, Difference):
        print(f"replay agrees: {found.events} events, {found.rows} rows")
    else:
        print(printable(f"replay differs: {'/'.join(filter(None, (found.stage, found.table, found.key)))}"))
        print(printable(f"  live:     {_or_none(found.live)}"))
        print(printable(f"  replayed: {_or_none(found.replayed)}"))
    if isinstance(found, Difference):
        raise typer.Exit(1)


def _or_none(value: str | None) -> str:
    return "(no such row)" if value is None else value


def _show(data: Path, until: int | None, *, as_json: bool) -> None:
    from consumers.audit.stages import replay_stages  # noqa: PLC0415 -- as above
    from consumers.audit.states import document, pages_of  # noqa: PLC0415 -- as above
    from streams.runtime.replay import new_file, replay  # noqa: PLC0415 -- as above
    from streams.runtime.stage import StepError  # noqa: PLC0415 -- as above

    stages = replay_stages()
    with reading(data) as log, Bar("replaying", last_offset(log)) as bar:
        try:
            done = replay(log, stages, new_file(), until=until, progress=bar)
        except StepError as error:
            raise FailedError(str(error)) from error
    found = document(pages_of(stages), until, done.events)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    print(f"{done.events} events" + (f" up to {found['until']}" if until is not None else ""))
    for page, shape in found["pages"].items():
        _print_page(page, shape)


def _print_page(page: str, shape: Mapping[str, Any]) -> None:
    print(f"\n{page}: {shape['description']}")
    cells = [
        [component if component == cell else f"{component}:{cell.partition('/')[2]}", status]
        for component, known in shape["components"].items()
        for cell, status in known["cells"].items()
    ]
    table(["component", "status"], cells, empty="no components")
    running = [
        ["incident", each["id"], each["title"], each["status"], each["impact"], each["started_at"]]
        for each in shape["incidents"]
        if each["resolved_at"] is None
    ]
    running += [
        ["maintenance", each["id"], each["title"], each["status"], "", each["starts_at"]]
        for each in shape["maintenances"]
        if each["completed_at"] is None
    ]
    running += [
        ["draft", each["id"], each["title"], f"waits for {each['waits_for']}", "", each["started_at"]]
        for each in shape["drafts"]
    ]
    table(["open", "id", "title", "status", "impact", "since"], running, empty="nothing is open")


def _micros(text: str) -> int:
    if _SECONDS.fullmatch(text):
        return int(Decimal(text) * 1_000_000)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither ISO 8601 nor Unix seconds", param_hint="--until") from None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)

"""``tocsin replay``: the log folded anew, to see a page as of some moment or to hold the live projections against it."""

import re
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tocsin.cli.datafolder import DEFAULT_DATA, Bar, DataOption, last_offset, printable, reading
from tocsin.cli.engines import ConfigOption, EngineOption, Fleet, RedisOption, chosen, reading_log
from tocsin.cli.failures import FailedError
from tocsin.cli.output import table

if TYPE_CHECKING:
    from consumers.audit.check import Agreement
    from consumers.audit.parts import Difference
    from streams.domain.model import PageView

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def replay_command(
    data: DataOption = DEFAULT_DATA,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only what was recorded up to then: ISO 8601, or Unix seconds.")
    ] = None,
    engine: EngineOption = None,
    redis: RedisOption = None,
    config: ConfigOption = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Compare with the live projections, row by row.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Fold the log anew: print every page as of a moment, or compare with what the server has. Needs no configuration."""
    if check and until is not None:
        raise typer.BadParameter("--check compares as of where the projections are; --until cannot be given with it")
    moment = None if until is None else _micros(until)
    fleet = chosen(engine, config, redis)
    if not check:
        _show(data, fleet, moment, as_json=as_json)
    elif fleet is None:
        _print_check(_check_folder(data), as_json=as_json)
    else:
        _print_check(_check_fleet(fleet), as_json=as_json)


def _check_folder(data: Path) -> "Agreement | Difference":
    from consumers.audit.check import check as compare  # noqa: PLC0415 -- commands over HTTP start without all this
    from consumers.audit.stages import replay_stages  # noqa: PLC0415 -- as above
    from streams.runtime.stage import StepError  # noqa: PLC0415 -- as above

    with reading(data) as log, Bar("replaying", last_offset(log)) as bar:
        try:
            return compare(log, replay_stages(), bar)
        except StepError as error:
            raise FailedError(str(error)) from error


def _check_fleet(fleet: Fleet) -> "Agreement | Difference":
    from consumers.audit.fleet_check import check as compare  # noqa: PLC0415 -- as above
    from streams.runtime.redis_store import RedisStateStore  # noqa: PLC0415 -- as above
    from streams.runtime.state_store import StoreUnavailableError  # noqa: PLC0415 -- as above

    if fleet.redis is None:
        raise typer.BadParameter("what is compared lies in Redis: give --redis, or --config", param_hint="--check")
    try:
        store = RedisStateStore(fleet.redis, fleet.kafka.namespace)
    except ValueError as error:  # redis-py's word for a URL that is none
        raise typer.BadParameter(str(error), param_hint="--redis") from error
    with closing(store), reading_log(DEFAULT_DATA, fleet) as log, Bar("replaying", None) as bar:
        try:
            return compare(log, store, bar)
        except StoreUnavailableError as error:
            raise FailedError(str(error)) from error


def _print_check(found: "Agreement | Difference", *, as_json: bool) -> None:
    from consumers.audit.parts import Difference  # noqa: PLC0415 -- as above

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


def _show(data: Path, fleet: Fleet | None, until: int | None, *, as_json: bool) -> None:
    from consumers.audit.states import document  # noqa: PLC0415 -- as above

    pages, events = _pages_of_folder(data, until) if fleet is None else _pages_of_fleet(fleet, until)
    found = document(pages, until, events)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    print(f"{events} events" + (f" up to {found['until']}" if until is not None else ""))
    for page, shape in found["pages"].items():
        _print_page(page, shape)


def _pages_of_folder(data: Path, until: int | None) -> "tuple[dict[str, PageView], int]":
    from consumers.audit.stages import replay_stages  # noqa: PLC0415 -- as above
    from consumers.audit.states import pages_of  # noqa: PLC0415 -- as above
    from streams.runtime.replay import new_file, replay  # noqa: PLC0415 -- as above
    from streams.runtime.stage import StepError  # noqa: PLC0415 -- as above

    stages = replay_stages()
    with reading(data) as log, Bar("replaying", last_offset(log)) as bar:
        try:
            done = replay(log, stages, new_file(), until=until, progress=bar)
        except StepError as error:
            raise FailedError(str(error)) from error
    return pages_of(stages), done.events


def _pages_of_fleet(fleet: Fleet, until: int | None) -> "tuple[dict[str, PageView], int]":
    from consumers.audit.fleet_states import fold_pages  # noqa: PLC0415 -- as above
    from consumers.audit.states import pages_in  # noqa: PLC0415 -- as above

    with reading_log(DEFAULT_DATA, fleet) as log, Bar("replaying", None) as bar:
        folded = fold_pages(log, until, bar)
    return pages_in(folded.tables), folded.events


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

"""``tocsin maintenance``: announced work. It only speaks to the HTTP API."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.cli.arguments import InternalOption, read_cells, read_time, written
from tocsin.cli.connection import Desk, at_a_desk, posting
from tocsin.cli.output import cells, fields, table

app = typer.Typer(no_args_is_help=True, help="Announce, start and complete maintenance.")

MaintenanceArgument = Annotated[
    str, typer.Argument(metavar="MAINTENANCE", help="Its id, as `tocsin maintenance list` shows it.")
]
BodyOption = Annotated[str | None, typer.Option("--body", help="The message; absent: a plain one.")]


@app.command("schedule")
@posting
def schedule(
    desk: Desk,
    title: Annotated[str, typer.Argument(help="What is done, in a few plain words.")],
    body: Annotated[str, typer.Option("--body", help="The announcement.")],
    affects: Annotated[list[str], typer.Option("--affects", metavar="CELL", help="component[:region]; once for each.")],
    starts: Annotated[str, typer.Option("--starts", metavar="TIME", help="2026-03-01T22:00, or +2h from now.")],
    ends: Annotated[str, typer.Option("--ends", metavar="TIME", help="Likewise.")],
    *,
    internal: InternalOption = False,
) -> None:
    """Announce a maintenance to the public, or only to who works here."""
    now = datetime.now(UTC)
    body_of_request = {
        "title": title,
        "body": body,
        "affects": read_cells(affects),
        "starts_at": written(read_time(starts, now)),
        "ends_at": written(read_time(ends, now)),
        "audience": "internal" if internal else None,
    }
    answer = desk.post("maintenances", body=body_of_request)
    desk.answer(answer.document, lambda maintenance: print(f"maintenance {maintenance['id']} is scheduled"))


@app.command("start")
@posting
def start(desk: Desk, maintenance: MaintenanceArgument, body: BodyOption = None) -> None:
    """Say that it has begun, before its time: its cells show maintenance and their alerts stay silent."""
    answer = desk.post("maintenances", maintenance, "start", body={"body": body})
    desk.answer(answer.document, lambda _: print(f"maintenance {maintenance} has begun"))


@app.command("complete")
@posting
def complete(desk: Desk, maintenance: MaintenanceArgument, body: BodyOption = None) -> None:
    """Say that it is over, before its time."""
    answer = desk.post("maintenances", maintenance, "complete", body={"body": body})
    desk.answer(answer.document, lambda _: print(f"maintenance {maintenance} is completed"))


@app.command("list")
@at_a_desk
def list_maintenances(desk: Desk) -> None:
    """List the page's maintenances."""
    desk.answer(desk.get("maintenances"), _show_list)


def _show_list(document: Any) -> None:
    found = document["maintenances"]
    names = ("id", "status", "starts_at", "ends_at", "title")
    table(
        (*names, "affects"), [[*fields(one, names), cells(one.get("affects"))] for one in found], empty="no maintenance"
    )

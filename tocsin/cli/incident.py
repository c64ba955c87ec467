"""``tocsin incident``: incidents by hand. It only speaks to the HTTP API."""

from typing import Annotated, Any

import typer

from schemas.vocabulary import Impact, IncidentStatus
from tocsin.cli.arguments import InternalOption, checked_duration, read_effects
from tocsin.cli.connection import Desk, at_a_desk, posting
from tocsin.cli.output import cells, fields, table

app = typer.Typer(no_args_is_help=True, help="Open, update and resolve incidents by hand.")

IncidentArgument = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="Its id, as `tocsin incident list` shows it.")
]
AffectsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--affects", metavar="CELL=STATUS",
        help="component[:region]=status, as in api:eu=major_outage; give it once for each.",
    ),
]  # fmt: skip
NextUpdateOption = Annotated[
    str | None,
    typer.Option("--next-update", metavar="DURATION", help="When the next update follows: 30m; absent: as configured."),
]
ImpactOption = Annotated[Impact | None, typer.Option("--impact", help="How bad it is; absent: as its cells say.")]


@app.command("open")
@posting
def open_incident(
    desk: Desk,
    title: Annotated[str, typer.Argument(help="What is wrong, in a few plain words.")],
    body: Annotated[str, typer.Option("--body", help="The first message.")],
    status: Annotated[IncidentStatus, typer.Option("--status")] = IncidentStatus.INVESTIGATING,
    impact: ImpactOption = None,
    affects: AffectsOption = None,
    next_update: NextUpdateOption = None,
    *,
    internal: InternalOption = False,
) -> None:
    """Tell the public of an incident, or only who works here."""
    body_of_request = {
        "title": title,
        "body": body,
        "status": status.value,
        "impact": impact.value if impact else None,
        "affects": read_effects(affects),
        "next_update_in": checked_duration(next_update),
        "audience": "internal" if internal else None,
    }
    answer = desk.post("incidents", body=body_of_request)
    desk.answer(answer.document, lambda incident: print(f"incident {_id(incident)} is open"))


@app.command("update")
@posting
def update_incident(
    desk: Desk,
    incident: IncidentArgument,
    body: Annotated[str, typer.Option("--body", help="The message.")],
    status: Annotated[IncidentStatus, typer.Option("--status")] = IncidentStatus.IDENTIFIED,
    affects: AffectsOption = None,
    next_update: NextUpdateOption = None,
) -> None:
    """Say how it goes on; ``--affects`` names only cells whose status changes."""
    _update(desk, incident, {
        "body": body,
        "status": status.value,
        "affects": read_effects(affects) or None,
        "next_update_in": checked_duration(next_update),
    })  # fmt: skip


@app.command("resolve")
@posting
def resolve_incident(
    desk: Desk,
    incident: IncidentArgument,
    body: Annotated[str, typer.Option("--body", help="The all-clear.")] = "This incident is resolved.",
) -> None:
    """Give the all-clear; its alerts are closed with it."""
    _update(desk, incident, {"body": body, "status": IncidentStatus.RESOLVED.value})


@app.command("list")
@at_a_desk
def list_incidents(
    desk: Desk,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on where a list ended.")] = None,
) -> None:
    """List the page's incidents."""
    desk.answer(desk.get("incidents", query={"limit": limit, "after": after}), _show_list)


@app.command("show")
@at_a_desk
def show_incident(desk: Desk, incident: IncidentArgument) -> None:
    """Show one incident with its messages."""
    desk.answer(desk.get("incidents", incident), _show)


@app.command("deliveries")
@at_a_desk
def list_deliveries(
    desk: Desk,
    incident: IncidentArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 100,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on where a list ended.")] = None,
) -> None:
    """List who was told, on which channel, and what became of it."""
    desk.answer(desk.get("incidents", incident, "deliveries", query={"limit": limit, "after": after}), _show_deliveries)


def _update(desk: Desk, incident: str, body: dict[str, Any]) -> None:
    answer = desk.post("incidents", incident, "updates", body=body)
    desk.answer(answer.document, lambda _: print(f"incident {incident} is {body['status']}"))


def _id(document: Any) -> str:
    return str(document.get("id", "?")) if isinstance(document, dict) else "?"


def _show_list(document: Any) -> None:
    names = ("id", "status", "impact", "audience", "title")
    table(names, [fields(incident, names) for incident in document["incidents"]], empty="no incidents")
    if document.get("next"):
        print(f"more: --after {document['next']}")


def _show(incident: Any) -> None:
    secret = ", internal" if incident.get("audience") == "internal" else ""
    print(f"{incident.get('title')}: {incident.get('status')}, {incident.get('impact')}{secret}")
    if incident.get("affects"):
        print(cells(incident["affects"]))
    updates = incident.get("updates") or []
    rows = [[update.get("at") or update.get("created_at"), *fields(update, ("status", "body"))] for update in updates]
    table(("at", "status", "message"), rows, empty="no messages")


def _show_deliveries(document: Any) -> None:
    names = ("subscriber", "channel", "address", "state", "at", "reason")
    table(names, [fields(one, names) for one in document["deliveries"]], empty="nobody was told")
    if document.get("next"):
        print(f"more: --after {document['next']}")

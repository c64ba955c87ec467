"""``tocsin subscriber`` and ``tocsin audience``: who is told. It only speaks to the HTTP API."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from schemas.vocabulary import Audience, Impact, Kind
from tocsin.cli.arguments import read_cells
from tocsin.cli.connection import Desk, at_a_desk, posting
from tocsin.cli.output import cells, fields, table
from tocsin.cli.pace import DigestOption, GapOption, HoldOption, QuietOption, pace, pace_body
from tocsin.cli.why import why
from tocsin.people.pace import words_of

app = typer.Typer(no_args_is_help=True, help="Add, list and remove subscribers, and say why they are told.")
app.command("why")(why)
app.command("pace")(pace)


class Topic(StrEnum):
    """What subscribers choose among."""

    INCIDENT = Kind.INCIDENT.value
    MAINTENANCE = Kind.MAINTENANCE.value


@app.command("add")
@posting
def add(  # noqa: PLR0913 -- each is an option of the command
    desk: Desk,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS")] = None,
    webhook: Annotated[str | None, typer.Option("--webhook", metavar="URL")] = None,
    other: Annotated[
        str | None, typer.Option("--on", metavar="CHANNEL=ADDRESS", help="An address on any other channel.")
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option("--cell", metavar="CELL", help="component[:region], once for each; absent: everything."),
    ] = None,
    min_impact: Annotated[Impact | None, typer.Option("--min-impact", help="The least that matters.")] = None,
    kind: Annotated[list[Topic] | None, typer.Option("--kind", help="What to hear of; absent: both.")] = None,
    *,
    quiet_hours: QuietOption = None,
    digest: DigestOption = None,
    minimum_gap: GapOption = None,
    hold_critical: HoldOption = False,
    internal: Annotated[
        bool,
        typer.Option("--internal", help="Works here, and hears of what is internal, too; needs an operator's token."),
    ] = False,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="Active at once, without a mail that asks; needs an operator's token.")
    ] = False,
) -> None:
    """Subscribe an address. Unless ``--confirmed``, its owner is asked first."""
    if [email, webhook, other].count(None) != 2:
        raise typer.BadParameter("give one of --email, --webhook and --on")
    channel, is_told, address = (other or "").partition("=")
    if other and not is_told:
        raise typer.BadParameter("expected CHANNEL=ADDRESS", param_hint="--on")
    answer = desk.post("subscribers", body={
        "email": email,
        "webhook": webhook,
        "channel": channel or None,
        "address": address or None,
        "cells": read_cells(cell),
        "min_impact": min_impact.value if min_impact else None,
        "kinds": [one.value for one in kind] if kind else None,
        "confirmed": confirmed or None,
        "audience": "internal" if internal else None,
        **pace_body(quiet_hours, digest, minimum_gap, hold_critical=hold_critical),
    })  # fmt: skip
    desk.answer(answer.document, _show_added)


@app.command("list")
@at_a_desk
def list_subscribers(
    desk: Desk,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 100,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on where a list ended.")] = None,
    *,
    suppressed: Annotated[bool, typer.Option("--suppressed", help="Only who is not told any more, and why.")] = False,
) -> None:
    """List subscribers; addresses are masked."""
    query = {"limit": limit, "after": after, "state": "suppressed" if suppressed else None}
    desk.answer(desk.get("subscribers", query=query), _show_suppressed if suppressed else _show_list)


@app.command("reinstate")
@posting
def reinstate(
    desk: Desk,
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="Its id.")],
    *,
    even_complained: Annotated[
        bool, typer.Option("--even-complained", help="Although its owner reported what was sent as spam.")
    ] = False,
) -> None:
    """Let a suppressed address be told again."""
    answer = desk.post("subscribers", subscriber, "reinstate", body={"even_complained": even_complained})
    desk.answer(answer.document, lambda _: print(f"subscriber {subscriber} is told again"))


@app.command("audience")
@posting
def assign(
    desk: Desk,
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="Its id.")],
    belongs_to: Annotated[Audience, typer.Argument(metavar="AUDIENCE", help="public, or internal: who works here.")],
) -> None:
    """Say whom a subscriber belongs to: internal ones hear of what is internal, too."""
    answer = desk.put("subscribers", subscriber, "audience", body={"audience": belongs_to.value})
    desk.answer(answer.document, lambda _: print(f"subscriber {subscriber} is {belongs_to.value}"))


@app.command("remove")
@posting
def remove(desk: Desk, subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="Its id.")]) -> None:
    """Remove a subscriber and erase the key to its address."""
    answer = desk.delete("subscribers", subscriber)
    desk.answer(answer.document, lambda _: print(f"subscriber {subscriber} is removed"))


@at_a_desk
def audience(
    desk: Desk,
    component: Annotated[str | None, typer.Option("--component", metavar="ID")] = None,
    region: Annotated[str | None, typer.Option("--region", metavar="ID")] = None,
    impact: Annotated[Impact | None, typer.Option("--impact")] = None,
    subscriber: Annotated[
        str | None, typer.Option("--subscriber", metavar="ID", help="Say why this one would be told, or why not.")
    ] = None,
    *,
    internal: Annotated[bool, typer.Option("--internal", help="Of an incident that is told to nobody else.")] = False,
) -> None:
    """Say who would be told of an incident there, and why, before anything is sent."""
    query = {
        "component": component, "region": region, "impact": impact.value if impact else None, "subscriber": subscriber,
        "audience": "internal" if internal else None,
    }  # fmt: skip
    desk.answer(desk.get("audience", query=query), _show_audience)


def _show_added(document: Any) -> None:
    print(f"subscriber {document.get('id')} is {document.get('state')}")
    if document.get("secret"):
        print(f"secret (shown once): {document['secret']}")


def _show_list(document: Any) -> None:
    names = ("id", "state", "audience", "channel", "address")
    rows = [
        [*fields(one, names), *_filter(one.get("filter")), words_of(one.get("pace"))] for one in document["subscribers"]
    ]
    table((*names, "from impact", "cells", "told"), rows, empty="no subscribers")
    if document.get("next"):
        print(f"more: --after {document['next']}")


def _show_suppressed(document: Any) -> None:
    names = ("id", "channel", "address", "suppression", "reason")
    table(names, [fields(one, names) for one in document["subscribers"]], empty="nobody is suppressed")
    if document.get("next"):
        print(f"more: --after {document['next']}")


def _filter(wanted: Any) -> list[Any]:
    return [*fields(wanted, ("min_impact",)), cells(*fields(wanted, ("cells",))) or "everything"]


def _show_audience(document: Any) -> None:
    if "told" in document:
        print(f"{'would be told' if document['told'] else 'would not be told'}: {document['reason']}")
        return
    channels = ", ".join(f"{channel} {count}" for channel, count in document["by_channel"].items())
    print(f"{document['count']} would be told{f': {channels}' if channels else ''}")
    names = ("subscriber", "channel", "address")
    if document["sample"]:
        table(names, [fields(one, names) for one in document["sample"]], empty="")

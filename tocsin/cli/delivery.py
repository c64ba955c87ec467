"""``tocsin delivery``: how channels stand, what failed or is in doubt, and sending it after all. It only speaks to the HTTP API."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from schemas.vocabulary import NotificationState
from tocsin.cli.connection import Desk, at_a_desk, posting
from tocsin.cli.output import fields, table, warn

app = typer.Typer(
    no_args_is_help=True, help="Say how channels stand, list what failed or is in doubt, and have it sent after all."
)
_AT_ONCE = 100
_DOUBT = "what is in doubt may have arrived: whoever is told again may be told twice"


class State(StrEnum):
    """What can be listed and sent after all."""

    FAILED = NotificationState.FAILED.value
    IN_DOUBT = NotificationState.IN_DOUBT.value


StateOption = Annotated[State, typer.Option("--state", help="What to look for.")]


@app.command("list")
@at_a_desk
def list_deliveries(
    desk: Desk,
    state: StateOption = State.FAILED,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 100,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on where a list ended.")] = None,
) -> None:
    """List the notifications of all incidents that failed, or are in doubt, each with the reason."""
    desk.answer(desk.get("deliveries", query={"state": state.value, "limit": limit, "after": after}), _show)


@app.command("channels")
@at_a_desk
def channels(desk: Desk) -> None:
    """Say of each channel whether it sends, and what is in its way: refusals, rate limits, no sender."""
    desk.answer(desk.get("channels"), _show_channels)


@app.command("redrive")
@posting
def redrive(
    desk: Desk,
    notification: Annotated[
        list[str] | None, typer.Argument(metavar="NOTIFICATION", help="Ids, as `tocsin delivery list` shows them.")
    ] = None,
    incident: Annotated[
        str | None, typer.Option("--incident", metavar="ID", help="All of an incident or maintenance instead.")
    ] = None,
    state: StateOption = State.FAILED,
    *,
    even_in_doubt: Annotated[
        bool, typer.Option("--even-in-doubt", help="Also what may have arrived: some may be told twice.")
    ] = False,
) -> None:
    """Have notifications sent after all; needs the role operator."""
    if bool(notification) == bool(incident):
        raise typer.BadParameter("give either notifications or --incident")
    if state is State.IN_DOUBT and incident and not even_in_doubt:
        raise typer.BadParameter(f"{_DOUBT}; add --even-in-doubt", param_hint="--state")
    if even_in_doubt:
        warn(_DOUBT)
    wanted = list(notification or _of_incident(desk, incident or "", state))
    found: dict[str, list[Any]] = {"redriven": [], "refused": []}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        answer = desk.post("deliveries", "redrive", body={"notifications": some, "even_in_doubt": even_in_doubt})
        for name in found:
            found[name] += answer.document[name]
    desk.answer(found, _show_redriven)
    if found["refused"]:
        raise typer.Exit(1)


def _of_incident(desk: Desk, incident: str, state: State) -> Iterator[str]:
    after: str | None = None
    while True:
        page = desk.get("incidents", incident, "deliveries", query={"limit": _AT_ONCE, "after": after})
        yield from (one["notification"] for one in page["deliveries"] if one["state"] == state)
        after = page.get("next")
        if not after:
            return


def _show(document: Any) -> None:
    names = ("notification", "incident", "channel", "address", "attempts", "at", "reason")
    table(names, [fields(one, names) for one in document["deliveries"]], empty="nothing")
    if document.get("next"):
        print(f"more: --after {document['next']}")


def _show_channels(document: Any) -> None:
    names = ("name", "state", "senders", "waiting_since", "summary")
    table(names, [fields(one, names) for one in document["channels"]], empty="no channel is switched on")


def _show_redriven(document: Any) -> None:
    print(f"{len(document['redriven'])} to be sent after all")
    if document["refused"]:
        names = ("notification", "reason")
        table(names, [fields(one, names) for one in document["refused"]], empty="")

"""``tocsin subscriber why``: the server's reasons in plain words. It only speaks to the HTTP API and decides nothing."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from schemas.vocabulary import NotificationState
from tocsin.cli.connection import Desk, at_a_desk
from tocsin.cli.output import cells, say


@at_a_desk
def why(
    desk: Desk,
    subscriber: Annotated[
        str, typer.Argument(metavar="SUBSCRIBER", help="Its id, as `tocsin subscriber list` shows it.")
    ],
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The id of an incident or a maintenance.")],
    update: Annotated[
        str | None, typer.Option("--update", metavar="UPDATE", help="One update: its number, from 1, or its id.")
    ] = None,
) -> None:
    """Say why a subscriber was told of an incident, or was not, and what became of the notifications."""
    query = {"incident": incident, "update": update}
    desk.answer(desk.get("subscribers", subscriber, "why", query=query), _show)


def _show(document: Any) -> None:
    standing = document["standing"]
    say(f"{document['subscriber']}, {document['channel']} {document['address']}, is {_because(standing)}")
    say(f"{document['incident']}: {document['title']}")
    numbers = {one["update"]: one["number"] for one in document["updates"]}
    for one in document["updates"]:
        say("")
        say(f"{_name(one)}, {one['status']}, {one['at']}: {'a plan names' if one['planned'] else 'no plan names'} them")
        for line in _lines(one, numbers):
            say(f"  {line}")


def _name(one: Any) -> str:
    return str(one["kind"]) if one["number"] is None else f"update {one['number']}"


def _lines(one: Any, numbers: dict[str, int | None]) -> Iterator[str]:
    yield f"why: {one['reason']}"
    for reach in one["reaches"]:
        yield f"cell: {_reach(reach)}"
    if one["today"] is not None:
        yield f"then: {_stood(one['then'])}"
        today = one["today"]
        yield f"today: they {'would' if today['told'] else 'would not'} be told: {today['reason']}"
    if one["notification"] is not None:
        yield from _fate(one["notification"], numbers)


def _reach(reach: Any) -> str:
    chosen = "everything" if reach["chosen"] is None else cells([reach["chosen"]])
    through = "" if reach["through"] is None else f" through the group {reach['through']}"
    light = "" if reach["weighs"] else ", less than they ask for"
    return f"{cells([reach | {'status': None}])} ({reach['impact']}), reached by {chosen}{through}{light}"


def _stood(then: Any) -> str:
    if then is None:
        return "they had not signed up"
    wanted = then["filter"]
    chosen = "everything" if wanted["cells"] is None else cells(wanted["cells"])
    return f"{_because(then)}, for {chosen} from {wanted['min_impact']} impact, of {', '.join(wanted['kinds']) or 'nothing'}"


def _because(standing: Any) -> str:
    return f"{standing['state']}: {standing['reason']}" if standing["reason"] else str(standing["state"])


def _fate(fate: Any, numbers: dict[str, int | None]) -> Iterator[str]:
    # Of what is superseded the reason is the newer update, which has a line of its own.
    reason = f": {fate['reason']}" if fate["reason"] and fate["state"] != NotificationState.SUPERSEDED else ""
    attempts = f"{fate['attempts']} {'attempt' if fate['attempts'] == 1 else 'attempts'}"
    yield f"notification: {fate['state']} since {fate['at']}, {attempts}: {fate['meaning']}{reason}"
    successor = fate["superseded_by"]
    if successor is not None:
        number = numbers.get(successor)
        yield f"instead: {f'update {number}' if number is not None else successor}"

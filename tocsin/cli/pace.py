"""The options that say when a subscriber is told, and ``tocsin subscriber pace``. It only speaks to the HTTP API."""

from typing import Annotated, Any, TypeAlias

import typer

from tocsin.cli.connection import Desk, at_a_desk
from tocsin.people.pace import quiet_of, words_of

QuietOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--quiet-hours", metavar="HOURS", help='"22:00-07:00 Europe/Berlin": what comes then waits.'),
]
HoldOption: TypeAlias = Annotated[
    bool, typer.Option("--hold-critical", help="What is critical waits like all else; absent: it gets through.")
]


def pace_body(quiet_hours: str | None, *, hold_critical: bool) -> dict[str, Any]:
    """Return the API's fields; raises typer.BadParameter."""
    try:
        quiet = None if quiet_hours is None else quiet_of(quiet_hours)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--quiet-hours") from None
    return {"quiet_hours": quiet, "critical_gets_through": False if hold_critical else None}


@at_a_desk
def pace(
    desk: Desk,
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="Its id.")],
    quiet_hours: QuietOption = None,
    *,
    hold_critical: HoldOption = False,
) -> None:
    """Choose when a subscriber is told, in place of what was chosen before; without options: at once."""
    answer = desk.put("subscribers", subscriber, "pace", body=pace_body(quiet_hours, hold_critical=hold_critical))
    desk.answer(answer.document, lambda document: print(f"subscriber {subscriber} is told {words_of(document)}"))

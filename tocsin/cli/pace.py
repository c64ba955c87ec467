"""The options that say when a subscriber is told, and ``tocsin subscriber pace``. It only speaks to the HTTP API."""

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import typer

from tocsin.cli.connection import Desk, at_a_desk
from tocsin.people.pace import digest_of, quiet_of, words_of

QuietOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--quiet-hours", metavar="HOURS", help='"22:00-07:00 Europe/Berlin": what comes then waits.'),
]
DigestOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--digest", metavar="WHEN", help='One message that sums up: "hour", or "08:00 Europe/Berlin" each day.'
    ),
]
GapOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--minimum-gap", metavar="DURATION", help="From one message to the next, as 30m; the rest is combined."
    ),
]
HoldOption: TypeAlias = Annotated[
    bool, typer.Option("--hold-critical", help="What is critical waits like all else; absent: it gets through.")
]


def pace_body(
    quiet_hours: str | None, digest: str | None, minimum_gap: str | None, *, hold_critical: bool
) -> dict[str, Any]:
    """Return the API's fields; raises typer.BadParameter."""
    return {
        "quiet_hours": _read("--quiet-hours", quiet_of, quiet_hours),
        "digest": _read("--digest", digest_of, digest),
        "minimum_gap": minimum_gap,
        "critical_gets_through": False if hold_critical else None,
    }


def _read(option: str, read: Callable[[str], dict[str, str]], text: str | None) -> dict[str, str] | None:
    try:
        return None if text is None else read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


@at_a_desk
def pace(
    desk: Desk,
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="Its id.")],
    quiet_hours: QuietOption = None,
    digest: DigestOption = None,
    minimum_gap: GapOption = None,
    *,
    hold_critical: HoldOption = False,
) -> None:
    """Choose when a subscriber is told, in place of what was chosen before; without options: at once."""
    body = pace_body(quiet_hours, digest, minimum_gap, hold_critical=hold_critical)
    answer = desk.put("subscribers", subscriber, "pace", body=body)
    desk.answer(answer.document, lambda document: print(f"subscriber {subscriber} is told {words_of(document)}"))

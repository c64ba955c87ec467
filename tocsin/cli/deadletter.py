"""``tocsin deadletter``: what monitors sent and nobody understood. It only speaks to the HTTP API."""

from typing import Annotated, Any

import typer

from tocsin.cli.connection import Desk, at_a_desk, posting
from tocsin.cli.failures import FailedError
from tocsin.cli.output import fields, say, table
from tocsin.client import RefusedError

app = typer.Typer(no_args_is_help=True, help="List, open and redrive what could not be understood.")
LetterArgument = Annotated[str, typer.Argument(metavar="LETTER", help="Its id, as `tocsin deadletter list` shows it.")]


@app.command("list")
@at_a_desk
def list_letters(
    desk: Desk,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many.")] = 100,
    after: Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on where a list ended.")] = None,
) -> None:
    """List what could not be understood, the newest first, each with the reason."""
    desk.answer(desk.get("deadletters", query={"limit": limit, "after": after}), _show_list)


@app.command("show")
@at_a_desk
def show(
    desk: Desk,
    letter: LetterArgument,
    *,
    body: Annotated[bool, typer.Option("--body", help="Also what was sent; needs the role operator.")] = False,
) -> None:
    """Show one: the reason, when it came, whether it was redriven."""
    document = desk.get("deadletters", letter)
    if body:
        document = {**document, **desk.get("deadletters", letter, "body")}
    desk.answer(document, _show)


@app.command("redrive")
@posting
def redrive(
    desk: Desk,
    letter: Annotated[list[str] | None, typer.Argument(metavar="LETTER", help="Ids.")] = None,
    *,
    all_of_them: Annotated[
        bool, typer.Option("--all", help="All that were not redriven yet, the oldest first.")
    ] = False,
) -> None:
    """Have sources read dead letters again, as if they were posted now; needs the role operator."""
    if bool(letter) == all_of_them:
        raise typer.BadParameter("give either letters or --all")
    done, refused = [], []
    for one in letter or _waiting(desk):
        try:
            done.append(desk.post("deadletters", one, "redrive", body={}).document)
        except RefusedError as error:
            if error.status != 409:
                raise
            refused.append({"id": one, "reason": "; ".join(error.lines)})
    desk.answer({"redriven": done, "refused": refused}, _show_redriven)
    if refused:
        raise FailedError(f"{len(refused)} of {len(done) + len(refused)} were not redriven")


def _waiting(desk: Desk) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = desk.get("deadletters", query={"limit": 100, "after": after})
        found += [one["id"] for one in page["deadletters"] if not one["redriven_at"]]
        after = page.get("next")
        if not after:
            return found[::-1]


def _show_list(document: Any) -> None:
    names = ("id", "source", "received_at", "size", "redriven_at", "reason")
    table(names, [fields(one, names) for one in document["deadletters"]], empty="no dead letters")
    if document.get("next"):
        print(f"more: --after {document['next']}")


def _show(document: Any) -> None:
    for name in ("source", "reason", "content_type", "size", "received_at", "expires_at", "redriven_at", "redriven_by"):
        if document.get(name) is not None:
            say(f"{name}: {document[name]}")
    if "body" in document:
        say(f"body ({document['encoding']}):")
        for line in str(document["body"]).splitlines():
            say(f"  {line}")


def _show_redriven(document: Any) -> None:
    names = ("id", "accepted", "ignored")
    table(names, [fields(one, names) for one in document["redriven"]], empty="nothing was redriven")
    for one in document["refused"]:
        say(f"{one['id']}: {one['reason']}")

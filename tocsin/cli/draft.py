"""``tocsin draft``: messages that wait for a person. It only speaks to the HTTP API."""

from typing import Annotated, Any

import typer

from tocsin.cli.connection import Desk, at_a_desk, posting
from tocsin.cli.output import cells, fields, table

app = typer.Typer(no_args_is_help=True, help="Approve or dismiss what lies ready to be published.")

DraftArgument = Annotated[str, typer.Argument(metavar="DRAFT", help="Its id, as `tocsin draft list` shows it.")]


@app.command("list")
@at_a_desk
def list_drafts(desk: Desk) -> None:
    """List the messages that wait for approval, or for their delay."""
    desk.answer(desk.get("drafts"), _show_list)


@app.command("approve")
@posting
def approve(desk: Desk, draft: DraftArgument) -> None:
    """Let a draft go out; needs the role approver."""
    answer = desk.post("drafts", draft, "approve", body={})
    desk.answer(answer.document, lambda _: print(f"draft {draft} goes out"))


@app.command("dismiss")
@posting
def dismiss(
    desk: Desk,
    draft: DraftArgument,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the audit log.")] = None,
) -> None:
    """Throw a draft away; needs the role approver."""
    answer = desk.post("drafts", draft, "dismiss", body={"reason": reason})
    desk.answer(answer.document, lambda _: print(f"draft {draft} is dismissed"))


def _show_list(document: Any) -> None:
    rows = [[*fields(draft, ("id", "waits_for", "title")), cells(draft.get("affects"))] for draft in document]
    table(("id", "waits for", "title", "affects"), rows, empty="no drafts")

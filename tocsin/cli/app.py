"""Puts the commands together; each lives in a module of its own."""

from typing import Annotated

import typer

from tocsin import __version__
from tocsin.cli import (
    deadletter,
    delivery,
    draft,
    incident,
    keys,
    log,
    maintenance,
    people,
    serving,
    subscriber,
    worker,
)
from tocsin.cli.demo import demo
from tocsin.cli.doctor import doctor
from tocsin.cli.failures import Group
from tocsin.cli.mailbox import mailbox
from tocsin.cli.migrate import migrate
from tocsin.cli.replay import replay_command

app = typer.Typer(
    name="tocsin",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A status page that tells the right people, from a monitor's webhook to their inbox.",
)

_SERVE, _HAND, _RECORD = "Serve", "By hand, over HTTP", "The record"

app.command("demo", rich_help_panel=_SERVE)(demo)
app.command("up", rich_help_panel=_SERVE)(serving.up)
app.command("apply", rich_help_panel=_SERVE)(serving.apply)
app.add_typer(worker.app, name="worker", rich_help_panel=_SERVE)
app.command("doctor", rich_help_panel=_SERVE)(doctor)
app.command("mailbox", rich_help_panel=_SERVE)(mailbox)
app.add_typer(incident.app, name="incident", rich_help_panel=_HAND)
app.add_typer(maintenance.app, name="maintenance", rich_help_panel=_HAND)
app.add_typer(draft.app, name="draft", rich_help_panel=_HAND)
app.add_typer(delivery.app, name="delivery", rich_help_panel=_HAND)
app.add_typer(deadletter.app, name="deadletter", rich_help_panel=_HAND)
subscriber.app.command("export")(people.export_command)
subscriber.app.command("import")(people.import_command)
app.add_typer(subscriber.app, name="subscriber", rich_help_panel=_HAND)
app.command("audience", rich_help_panel=_HAND)(subscriber.audience)
app.add_typer(log.app, name="log", rich_help_panel=_RECORD)
app.add_typer(keys.app, name="keys", rich_help_panel=_RECORD)
app.command("replay", rich_help_panel=_RECORD)(replay_command)
app.command("migrate", rich_help_panel=_RECORD)(migrate)


def _version(*, wanted: bool) -> None:
    if wanted:
        print(f"tocsin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=lambda value: _version(wanted=value), is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line: exit code 0 for done, 1 for failed or refused, 2 for a mistake in its use."""
    app()

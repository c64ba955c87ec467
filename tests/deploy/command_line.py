"""Parses words as the real command line does, and runs nothing."""

from collections.abc import Sequence
from typing import Any

import typer.main

from tocsin.cli.app import app


def parse(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the command that the words name (``worker streams``) and its parameters; raises a usage error."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("tocsin", list(words))
    path = []
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
        path.append(name)
    return " ".join(path), context.params

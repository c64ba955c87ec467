"""How a command fails: one clear line (or one a cause) on stderr and exit code 1, never a traceback.

Mistakes in the use of a command are typer's own and exit with 2.
"""

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from tocsin.client import ClientError


class FailedError(Exception):
    """A command that cannot do what it was asked; the message says why, one cause a line."""


class Group(TyperGroup):
    """The whole command line: the one place where expected errors become words and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (FailedError, ClientError) as error:
            fail(str(error))
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe went away, as `| head` does; typer sees to it
                raise
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def fail(message: str) -> None:
    """Say why and leave; raises typer.Exit."""
    for line in message.splitlines():
        print(f"tocsin: {line}", file=sys.stderr)
    raise typer.Exit(1)


def exists(path: str | os.PathLike[str], what: str) -> None:
    """Raise FailedError unless there is something at ``path``."""
    if not os.path.exists(path):  # noqa: PTH110 -- takes any kind of path
        raise FailedError(f"{what} {os.fspath(path)} does not exist")

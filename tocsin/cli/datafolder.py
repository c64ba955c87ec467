"""Opens the log of a data folder for commands that read it beside a running server; progress on a terminal."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.log.port import LogError, LogUnavailableError
from streams.log.sqlite import FILE_NAME, SqliteEventLog
from tocsin.cli.failures import FailedError

DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The data folder; a server may be using it.")]
DEFAULT_DATA = Path("tocsin-data")


@contextmanager
def reading(folder: Path) -> Iterator[SqliteEventLog]:
    """Open the folder's log for reading. No log there is a usage error; one that cannot be read is a failure."""
    if not (folder / FILE_NAME).is_file():
        raise typer.BadParameter(f"{folder} holds no log ({FILE_NAME})", param_hint="--data")
    try:
        log = SqliteEventLog(folder, read_only=True)
    except (LogUnavailableError, sqlite3.DatabaseError) as error:
        raise FailedError(f"{folder / FILE_NAME} cannot be read: {error}") from error
    try:
        yield log
    except LogError as error:
        raise FailedError(str(error)) from error
    finally:
        log.close()


def last_offset(log: SqliteEventLog) -> int:
    """Return the offset of the newest record, 0 in an empty log."""
    return int(log.query("select coalesce(max(seq), 0) from log")[0][0])


def printable(text: str) -> str:
    """Return ``text`` without what would steer a terminal: senders choose much of what lies on the log."""
    return "".join(character if character.isprintable() else " " for character in text)


class Bar:
    """A progress bar on stderr, where that is a terminal; called with how much is done."""

    def __init__(self, title: str, total: int | None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self._task = self._progress.add_task(title, total=total)

    def __call__(self, done: int) -> None:
        self._progress.update(self._task, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

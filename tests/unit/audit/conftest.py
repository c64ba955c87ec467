"""One written history for all tests, and copies of it to be tampered with."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from streams.log.sqlite import FILE_NAME, SqliteEventLog
from tests.builders import history

Change: TypeAlias = Callable[..., None]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("history")
    history.write(folder)
    return folder


@pytest.fixture
def log(written: Path) -> Iterator[SqliteEventLog]:
    with closing(SqliteEventLog(written, read_only=True)) as opened:
        yield opened


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(written / FILE_NAME, folder)
    return folder


@pytest.fixture
def change(copy: Path) -> Change:
    """Run a statement on the copy, as somebody would who has the file and SQLite; it must hit one row at least."""

    def run(statement: str, values: Sequence[Any] = ()) -> None:
        with closing(sqlite3.connect(copy / FILE_NAME)) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0

    return run


@pytest.fixture
def reopened(copy: Path) -> Iterator[Callable[[], SqliteEventLog]]:
    """Open the copy for reading, once it was changed."""
    opened: list[SqliteEventLog] = []

    def reopen() -> SqliteEventLog:
        opened.append(SqliteEventLog(copy, read_only=True))
        return opened[-1]

    yield reopen
    for each in opened:
        each.close()

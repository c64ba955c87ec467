"""Connections that only read, one to a thread; they see what is committed and never wait for the writer."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import Any

from streams.log.port import LogUnavailableError


class Readers:
    """Opens a connection for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = local()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection; raises LogUnavailableError after ``close``."""
        if self._closed:
            raise LogUnavailableError("the log is closed")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            connection.execute("pragma busy_timeout = 10000")
            self._local.connection = connection
            self._opened.append(connection)
        return connection

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows; raises LogUnavailableError."""
        connection = self.connection()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise LogUnavailableError(f"the log could not be read: {error}") from error

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Within it, all that this thread reads is the file as of one moment, whatever is appended meanwhile."""
        self.query("begin")
        try:
            self.query("select 1 from topics limit 1")  # the moment is that of the first read, not of the begin
            yield self.connection()
        finally:
            self.connection().rollback()

    def close(self) -> None:
        """Close them all."""
        self._closed = True
        for connection in self._opened:
            connection.close()

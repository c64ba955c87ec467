"""The virtual clock of a run: a few bytes of a file, written by the run and read by every worker process."""

import mmap
import struct
from pathlib import Path
from typing import Self

from schemas.events import Micros

_FORMAT = struct.Struct("=q")


class FileClock:
    """Eight bytes that several processes see. Reading is a copy of one machine word, so nobody reads half a time."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _FORMAT.size)

    @classmethod
    def new(cls, path: Path, now: Micros) -> Self:
        """Make the file, and a clock that stands at ``now``."""
        path.write_bytes(_FORMAT.pack(now))
        return cls(path)

    def __call__(self) -> Micros:
        return int(_FORMAT.unpack(self._memory[: _FORMAT.size])[0])

    def set(self, now: Micros) -> None:
        """Let it be ``now`` everywhere."""
        self._memory[: _FORMAT.size] = _FORMAT.pack(now)

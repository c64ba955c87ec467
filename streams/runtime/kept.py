"""Bytes that processes of a fleet keep for each other: a cache by name, which may be gone at any time. It knows no meaning."""

from typing import Protocol


class KeptBytes(Protocol):
    """What is kept under names. All methods block; they raise StoreUnavailableError."""

    def note(self, name: str) -> bytes | None:
        """Return what stands beside the bytes, None where nothing is kept."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes, None where nothing is kept."""

    def write(self, name: str, note: bytes, data: bytes) -> None:
        """Keep bytes in the place of those before: whoever reads meanwhile finds the one or the other, or nothing."""


class MemoryKept:
    """Keeps them in this process."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, bytes]] = {}

    def note(self, name: str) -> bytes | None:
        return self._kept[name][0] if name in self._kept else None

    def read(self, name: str) -> bytes | None:
        return self._kept[name][1] if name in self._kept else None

    def write(self, name: str, note: bytes, data: bytes) -> None:
        self._kept[name] = note, data

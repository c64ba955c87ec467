"""What the vault asks of whatever keeps its keys; it knows wrapped keys and hashes, never a key or an address.

The contract suite in ``tests/contract/keys`` is its other half.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec


class Kept(msgspec.Struct, frozen=True, gc=False):
    """What is kept of an owner: its key, wrapped by the master key, and the hash of the address it is found by."""

    wrapped: bytes
    lookup: bytes | None


class KeyStoreUnavailableError(Exception):
    """The store cannot take or give keys now; nothing was acknowledged. Whether there is a key is not known."""


class KeyStore(Protocol):
    """Wrapped keys by owner.

    All methods block, may be called from any thread, and raise KeyStoreUnavailableError; what they change is durable
    when they return.
    """

    remembered: float | None
    """For how many seconds a key that was read may be used without asking again; None: for ever.

    It bounds how long a key that another process erased can still open anything.
    """

    def add(self, owner: str, kept: Kept) -> None:
        """Keep this for ``owner`` unless something is kept: of several who add at once, one is kept for all of them."""

    def add_all(self, kept: Sequence[tuple[str, Kept]]) -> None:
        """Do what ``add`` does for each of these, in far less time; after an error some of them may be kept."""

    def get(self, owner: str) -> Kept | None:
        """Return what is kept for ``owner``."""

    def get_all(self, owners: Sequence[str]) -> dict[str, Kept]:
        """Return what is kept for those of the owners who have anything, in far less time than ``get`` would take for each."""

    def find(self, lookup: bytes) -> list[str]:
        """Return the owners with this hash, sorted."""

    def erase(self, owner: str) -> bool:
        """Forget the owner for good; False if nothing was kept."""

    def owners(self) -> Iterable[str]:
        """Return all owners, in no order."""

    def close(self) -> None:
        """Release what the store holds."""

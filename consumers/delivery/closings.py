"""Until when a provider wants to be left alone: known to all channels of one account, in a fleet to all of its processes."""

import math
import time

from limits.storage import Storage


class Closing:
    """The closing of one account. Without a ``storage`` it is this channel's and this process's alone.

    Methods raise ``limits.errors.StorageError`` where the storage cannot be reached.
    """

    def __init__(self, account: str = "", storage: Storage | None = None) -> None:
        self._key = f"closed/{account}"
        self._storage = storage if account else None
        self._until = 0.0

    def close(self, until: float) -> None:
        """Leave the provider alone until then (Unix seconds), or longer where that is known already."""
        self._until = max(self._until, until)
        if self._storage is None or until <= self._theirs(self._storage):
            return
        self._storage.clear(self._key)
        self._storage.incr(self._key, math.ceil(until - time.time()))

    def until(self) -> float:
        """Return until when it is to be left alone, in Unix seconds; it may be long ago."""
        if self._storage is not None:
            self._until = max(self._until, self._theirs(self._storage))
        return self._until

    def known(self) -> float:
        """Return the same as far as ``until`` has found. Does not block."""
        return self._until

    def _theirs(self, storage: Storage) -> float:
        return storage.get_expiry(self._key) if storage.get(self._key) else 0.0

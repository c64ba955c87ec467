"""The vault: a key for each subscriber, wrapped by a master key; erasing it erases the person from the log.

It seals, wraps and hashes; where wrapped keys are kept is a ``KeyStore``'s business. Sealing is AES-256-GCM with the
owner's id as associated data; addresses are found by an HMAC-SHA-256 that is stored with the key and goes with it.
"""

import hmac
import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from threading import Lock
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streams.keys.store import Kept, KeyStore

_NONCE_BYTES = 12
_CACHED = 10_000
PROOF = "tocsin"
"""Owner of the key that shows which master key a store belongs to."""
_FOR_EVER = float("inf")


class ErasedError(LookupError):
    """The owner's key does not exist, or no more: what it sealed cannot be read."""


class WrongMasterKeyError(ValueError):
    """The master key does not open this store."""


class Vault:
    """Keys by owner. All methods may be called from any thread; what they change is durable when they return.

    Beside what they say, methods raise what the store raises when it cannot be reached.
    """

    def __init__(self, store: KeyStore, master: bytes) -> None:
        """Use ``store``, which the vault closes in the end, with a master key of 32 bytes."""
        if len(master) != 32:
            raise WrongMasterKeyError("a master key has 32 bytes (64 hex digits)")
        self._store = store
        self._wrapper = AESGCM(_derived(master, b"wrap"))
        self._lookup_key = _derived(master, b"lookup")
        self._signing_key = _derived(master, b"sign")
        self._cache: dict[str, tuple[AESGCM, float]] = {}
        self._erasures = 0
        self._caching = Lock()
        self.create(PROOF)
        self._key(PROOF)

    def create(self, owner: str, lookup: str | None = None) -> None:
        """Make a key for ``owner`` unless it has one; ``lookup`` is the address by which it shall be found."""
        self._store.add(owner, self._made(owner, lookup))

    def create_all(self, lookups: Mapping[str, str]) -> None:
        """Make a key for each owner unless it has one; the values are the addresses by which they shall be found."""
        self._store.add_all([(owner, self._made(owner, lookup)) for owner, lookup in lookups.items()])

    def seal(self, owner: str, plain: bytes) -> bytes:
        """Encrypt for ``owner``; raises ErasedError."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._key(owner).encrypt(nonce, plain, owner.encode())

    def open(self, owner: str, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` returned; raises ErasedError, also where the bytes are not the owner's."""
        try:
            return self._key(owner).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise ErasedError("the sealed bytes belong to another key") from None

    def open_all(self, sealed: Mapping[str, bytes]) -> dict[str, bytes]:
        """Decrypt one thing of each owner; left out is whoever ``open`` would raise ErasedError for.

        It asks the store once and remembers none of the keys: of many at once each is hardly wanted again soon.
        """
        kept = self._store.get_all(list(sealed))
        found: dict[str, bytes] = {}
        for owner, each in kept.items():
            one, name = sealed[owner], owner.encode()
            key = AESGCM(self._unwrap(name, each.wrapped))
            try:
                found[owner] = key.decrypt(one[:_NONCE_BYTES], one[_NONCE_BYTES:], name)
            except InvalidTag:  # no ``suppress``: of a million even that takes half a second
                continue
        return found

    def find(self, lookup: str) -> list[str]:
        """Return the owners that were created with this address."""
        return self._store.find(self._hash(lookup))

    def siblings(self, owner: str) -> list[str]:
        """Return the other owners that were created with the same address as ``owner``."""
        kept = self._store.get(owner)
        if kept is None or kept.lookup is None:
            return []
        return [other for other in self._store.find(kept.lookup) if other != owner]

    def erase(self, owner: str) -> bool:
        """Destroy the owner's key; False if there was none.

        Other processes on the same store may go on with the key that they have read for ``KeyStore.remembered`` seconds.
        """
        gone = self._store.erase(owner)
        with self._caching:
            self._erasures += 1
            self._cache.pop(owner, None)
        return gone

    def owners(self) -> Iterable[str]:
        """Return all that have a key."""
        return self._store.owners()

    @property
    def signing_key(self) -> bytes:
        """32 bytes for signing links; they depend on the master key alone, so links outlive restarts."""
        return self._signing_key

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _key(self, owner: str) -> AESGCM:
        # Taken before the store is asked: what it says may be true at that moment only.
        now, erasures = monotonic(), self._erasures
        known = self._cache.get(owner)
        if known is not None and now < known[1]:
            return known[0]
        kept = self._store.get(owner)
        if kept is None:
            raise ErasedError("there is no key for this owner")
        key = AESGCM(self._unwrap(owner.encode(), kept.wrapped))
        remembered = self._store.remembered
        until = _FOR_EVER if remembered is None else now + remembered
        with self._caching:
            if len(self._cache) > _CACHED:
                self._cache.clear()
            if erasures == self._erasures:
                self._cache[owner] = key, until
        return key

    def _made(self, owner: str, lookup: str | None) -> Kept:
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = nonce + self._wrapper.encrypt(nonce, AESGCM.generate_key(256), owner.encode())
        return Kept(wrapped, None if lookup is None else self._hash(lookup))

    def _unwrap(self, owner: bytes, wrapped: bytes) -> bytes:
        try:
            return self._wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], owner)
        except InvalidTag:
            raise WrongMasterKeyError("the master key does not open this key store") from None

    def _hash(self, lookup: str) -> bytes:
        return hmac.new(self._lookup_key, lookup.encode(), sha256).digest()


def _derived(master: bytes, purpose: bytes) -> bytes:
    return hmac.new(master, purpose, sha256).digest()

"""The key store: a key for each subscriber, wrapped by a master key; erasing it erases the person from the log.

It lives in a file of its own (``keys.db``), so that the log, its exports and its backups hold no key. Sealing is
AES-256-GCM with the owner's id as associated data; addresses are found by an HMAC-SHA-256 that is stored with the key
and goes with it.
"""

import hmac
import os
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE_NAME = "keys.db"
MASTER_FILE_NAME = "master.key"
MASTER_VARIABLE = "TOCSIN_MASTER_KEY"
_NONCE_BYTES = 12
_SCHEMA = """
create table if not exists keys (
    owner   text primary key,
    wrapped blob not null,
    lookup  blob
) strict, without rowid;
create index if not exists keys_by_lookup on keys (lookup) where lookup is not null;
"""


class ErasedError(LookupError):
    """The owner's key does not exist, or no more: what it sealed cannot be read."""


class WrongMasterKeyError(ValueError):
    """The master key does not open this store."""


class Vault:
    """Keys by owner. All methods may be called from any thread; what they change is durable when they return."""

    def __init__(self, path: Path | str, master: bytes) -> None:
        """Open the store at ``path`` (``:memory:`` for tests) with a master key of 32 bytes."""
        if len(master) != 32:
            raise WrongMasterKeyError("a master key has 32 bytes (64 hex digits)")
        self._wrapper = AESGCM(_derived(master, b"wrap"))
        self._lookup_key = _derived(master, b"lookup")
        self._signing_key = _derived(master, b"sign")
        self._lock = Lock()
        self._cache: dict[str, AESGCM] = {}
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma secure_delete = on")
        self._connection.executescript(_SCHEMA)
        self._require_same_master()

    def create(self, owner: str, lookup: str | None = None) -> None:
        """Make a key for ``owner`` unless it has one; ``lookup`` is the address by which it shall be found."""
        with self._lock:
            self._create(owner, None if lookup is None else self._hash(lookup))

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

    def find(self, lookup: str) -> list[str]:
        """Return the owners that were created with this address."""
        with self._lock:
            rows = self._connection.execute("select owner from keys where lookup = ?", (self._hash(lookup),)).fetchall()
        return [owner for (owner,) in rows]

    def siblings(self, owner: str) -> list[str]:
        """Return the other owners that were created with the same address as ``owner``."""
        with self._lock:
            rows = self._connection.execute(
                "select other.owner from keys own join keys other on other.lookup = own.lookup"
                " where own.owner = ? and own.lookup is not null and other.owner <> own.owner",
                (owner,),
            ).fetchall()
        return sorted(other for (other,) in rows)

    def erase(self, owner: str) -> bool:
        """Destroy the owner's key; False if there was none."""
        with self._lock:
            self._cache.pop(owner, None)
            gone = self._connection.execute("delete from keys where owner = ?", (owner,)).rowcount
            self._connection.execute("pragma wal_checkpoint(truncate)")
        return gone > 0

    def owners(self) -> Iterable[str]:
        """Return all that have a key."""
        with self._lock:
            return [owner for (owner,) in self._connection.execute("select owner from keys")]

    @property
    def signing_key(self) -> bytes:
        """32 bytes for signing links; they depend on the master key alone, so links outlive restarts."""
        return self._signing_key

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _create(self, owner: str, lookup: bytes | None) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = nonce + self._wrapper.encrypt(nonce, AESGCM.generate_key(256), owner.encode())
        self._connection.execute(
            "insert or ignore into keys (owner, wrapped, lookup) values (?, ?, ?)", (owner, wrapped, lookup)
        )

    def _key(self, owner: str) -> AESGCM:
        if (known := self._cache.get(owner)) is not None:
            return known
        with self._lock:
            row = self._connection.execute("select wrapped from keys where owner = ?", (owner,)).fetchone()
        if row is None:
            raise ErasedError("there is no key for this owner")
        key = AESGCM(self._unwrap(owner, row[0]))
        if len(self._cache) > 10_000:
            self._cache.clear()
        self._cache[owner] = key
        return key

    def _unwrap(self, owner: str, wrapped: bytes) -> bytes:
        try:
            return self._wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise WrongMasterKeyError("the master key does not open this key store") from None

    def _hash(self, lookup: str) -> bytes:
        return hmac.new(self._lookup_key, lookup.encode(), sha256).digest()

    def _require_same_master(self) -> None:
        with self._lock:
            self._create("tocsin", None)
            row = self._connection.execute("select wrapped from keys where owner = 'tocsin'").fetchone()
        self._unwrap("tocsin", row[0])


def _derived(master: bytes, purpose: bytes) -> bytes:
    return hmac.new(master, purpose, sha256).digest()


def open_vault(folder: Path, environment: dict[str, str]) -> Vault:
    """Open the key store of a data folder.

    The master key comes from ``TOCSIN_MASTER_KEY`` (64 hex digits), or from ``master.key`` in the folder, which is
    made on the first start and readable by its owner only. Raises WrongMasterKeyError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = environment.get(MASTER_VARIABLE) or _master_file(folder / MASTER_FILE_NAME)
    try:
        master = bytes.fromhex(text.strip())
    except ValueError:
        raise WrongMasterKeyError("the master key is not written in hex digits") from None
    return Vault(folder / FILE_NAME, master)


def _master_file(path: Path) -> str:
    if not path.exists():
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(32).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    return path.read_text("ascii")

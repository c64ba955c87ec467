"""Where the master key comes from, and the vaults of both engines opened with it. It stores no key but that one."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from streams.keys.sqlite import FILE_NAME, SqliteKeyStore
from streams.keys.vault import Vault, WrongMasterKeyError

MASTER_FILE_NAME = "master.key"
MASTER_VARIABLE = "TOCSIN_MASTER_KEY"


def open_vault(folder: Path, environment: Mapping[str, str]) -> Vault:
    """Open the key store of a data folder.

    The master key comes from ``TOCSIN_MASTER_KEY`` (64 hex digits), or from ``master.key`` in the folder, which is
    made on the first start and readable by its owner only. Raises WrongMasterKeyError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    master = _master(environment.get(MASTER_VARIABLE) or _master_file(folder / MASTER_FILE_NAME))
    return Vault(SqliteKeyStore(folder / FILE_NAME), master)


def open_distributed_vault(
    servers: Sequence[str],
    redis_url: str,
    environment: Mapping[str, str],
    *,
    namespace: str = "",
    replication: int = 1,
    timeout: timedelta = timedelta(seconds=30),
) -> Vault:
    """Open the key store that all workers share: topic ``tocsin.keys`` and its projection in Redis.

    The master key comes from ``TOCSIN_MASTER_KEY`` alone. Raises WrongMasterKeyError and KeyStoreUnavailableError.
    Blocks until an empty Redis has been filled from the topic.
    """
    from streams.log.kafka.keys import KafkaKeyTopic  # noqa: PLC0415 -- the embedded engine runs without these libraries
    from streams.runtime.redis_keys import RedisKeyStore  # noqa: PLC0415 -- as above

    text = environment.get(MASTER_VARIABLE)
    if not text:
        raise WrongMasterKeyError(f"{MASTER_VARIABLE} is not set: workers share a master key, of 64 hex digits")
    master = _master(text)

    def topic() -> KafkaKeyTopic:
        return KafkaKeyTopic(servers, namespace=namespace, replication=replication, timeout=timeout)

    return Vault(RedisKeyStore(redis_url, topic, namespace=namespace, timeout=timeout), master)


def _master(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        raise WrongMasterKeyError("the master key is not written in hex digits") from None


def _master_file(path: Path) -> str:
    if not path.exists():
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(32).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    return path.read_text("ascii")

"""Where the counts of rate limits lie in Redis, so that the whole fleet counts together. It knows no limit."""

from datetime import timedelta

from limits.storage import RedisStorage

PATIENCE = timedelta(seconds=2)


def redis_limits(url: str, namespace: str) -> RedisStorage:
    """Return the storage of the ``limits`` library at a Redis; errors are raised as ``limits.errors.StorageError``."""
    seconds = PATIENCE.total_seconds()
    return RedisStorage(
        url,
        key_prefix=f"{namespace}limits",
        wrap_exceptions=True,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
    )

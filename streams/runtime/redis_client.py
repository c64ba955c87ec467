"""How this program connects to Redis where no store of its own does; it knows no keys."""

from datetime import timedelta

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

PATIENCE = timedelta(seconds=2)
"""For one command; whoever serves requests had better refuse than wait longer."""


def redis_client(url: str, patience: timedelta = PATIENCE) -> "redis.Redis":
    """Return a client that connects at its first command, and tries a command twice where a connection broke."""
    seconds = patience.total_seconds()
    return redis.Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
    )

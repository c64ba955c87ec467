"""How often strangers may sign up: each sign-up sends a mail to an address that anybody can type."""

import math
import time
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from schemas.ids import derive
from streams.runtime.problems import ProblemError, overloaded

PER_CLIENT = "30/hour"
"""Many people may share one address of a network."""
PER_ADDRESS = "3/hour"


class SignUpLimits:
    """Counts sign-ups by client and by address: in this process, or where ``storage`` is. A refused attempt does not count."""

    def __init__(
        self, per_client: str = PER_CLIENT, per_address: str = PER_ADDRESS, storage: Storage | None = None
    ) -> None:
        """Limits are written as ``30/hour``; ``storage`` supports moving windows."""
        self._per_client = parse(per_client)
        self._per_address = parse(per_address)
        self._limiter = MovingWindowRateLimiter(storage or MemoryStorage())

    def require(self, client: str, address: str) -> None:
        """Count a sign-up; raises ProblemError 429 when there were too many. It is the same for known addresses.

        Raises ProblemError 503 where the counts cannot be had: an open door would mail whomever a stranger names.
        """
        try:
            self._count(client, address)
        except StorageError:
            raise overloaded("Nothing was stored. Please try again.") from None

    def _count(self, client: str, address: str) -> None:
        asked = ((self._per_client, f"client:{_network(client)}"), (self._per_address, derive("limited", address)))
        for limit, name in asked:
            if not self._limiter.test(limit, name):
                raise self._refusal(limit, name)
        for limit, name in asked:
            self._limiter.hit(limit, name)

    def _refusal(self, limit: RateLimitItem, name: str) -> ProblemError:
        reset = self._limiter.get_window_stats(limit, name).reset_time
        seconds = max(1, math.ceil(reset - time.time()))
        return ProblemError(429, "Too many sign-ups", "Please try again later.", retry_after=seconds)


def _network(client: str) -> str:
    """Return what one household or server has: an IPv4 address, or an IPv6 /64."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else str(address)

"""How often strangers may sign up, and subscribers change their mind: what they do sends mails, or fills the log."""

import math
import time
from collections.abc import Sequence
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
PER_PAGE = "5000/hour"
"""In an outage thousands sign up at once; more than these is somebody's program."""
PER_SUBSCRIBER = "60/hour"
"""Changes of one's own subscription: each is an event that is kept for ever."""


class SignUpLimits:
    """Counts sign-ups by client and by address: in this process, or where ``storage`` is. A refused attempt does not count."""

    def __init__(
        self,
        per_client: str = PER_CLIENT,
        per_address: str = PER_ADDRESS,
        storage: Storage | None = None,
        *,
        per_page: str = PER_PAGE,
        per_subscriber: str = PER_SUBSCRIBER,
    ) -> None:
        """Limits are written as ``30/hour``; ``storage`` supports moving windows."""
        self._per_client = parse(per_client)
        self._per_address = parse(per_address)
        self._per_page = parse(per_page)
        self._per_subscriber = parse(per_subscriber)
        self._limiter = MovingWindowRateLimiter(storage or MemoryStorage())

    def require(self, client: str, address: str, page: str = "") -> None:
        """Count a mail that a stranger asks for: a sign-up, or the link to a subscription.

        Raises ProblemError 429 when there were too many, which is the same for known addresses, and 503 where the
        counts cannot be had: an open door would mail whomever a stranger names.
        """
        self._require(
            (self._per_client, f"client:{_network(client)}"),
            (self._per_address, derive("limited", address)),
            (self._per_page, f"page:{page}"),
        )

    def require_change(self, subscriber: str) -> None:
        """Count what a subscriber does to their own subscription; raises likewise."""
        self._require((self._per_subscriber, f"subscriber:{subscriber}"))

    def _require(self, *asked: tuple[RateLimitItem, str]) -> None:
        try:
            self._count(asked)
        except StorageError:
            raise overloaded("Nothing was stored. Please try again.") from None

    def _count(self, asked: Sequence[tuple[RateLimitItem, str]]) -> None:
        for limit, name in asked:
            if not self._limiter.test(limit, name):
                raise self._refusal(limit, name)
        for limit, name in asked:
            self._limiter.hit(limit, name)

    def _refusal(self, limit: RateLimitItem, name: str) -> ProblemError:
        reset = self._limiter.get_window_stats(limit, name).reset_time
        seconds = max(1, math.ceil(reset - time.time()))
        return ProblemError(429, "Too many attempts", "Please try again later.", retry_after=seconds)


def _network(client: str) -> str:
    """Return what one household or server has: an IPv4 address, or an IPv6 /64."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else str(address)

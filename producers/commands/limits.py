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

CODES_PER_CLIENT = "5/hour"
CODES_PER_SUBSCRIBER = "3/day"
CODES_PER_NUMBER = "3/day"
CODES_PER_RANGE = "10/day"
"""Numbers that differ in their last four digits only: who earns by messages has numbers in a row."""
CODES_PER_COUNTRY = "50/hour"
TRIES = "5/hour"
"""How often a code may be guessed: of a million, in the ten minutes for which it is good."""
_RANGE_DIGITS = 4


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

    def require_code(self, client: str, owner: str, number: str, country: str, page: str, codes_a_day: int) -> None:
        """Count a code that ``owner`` has sent to a number (E.164); raises likewise. Each costs us, and may pay its receiver."""
        self._require(
            (parse(CODES_PER_CLIENT), f"code client:{_network(client)}"),
            (parse(CODES_PER_SUBSCRIBER), f"code owner:{owner}"),
            (parse(CODES_PER_NUMBER), derive("limited code", number)),
            (parse(CODES_PER_RANGE), derive("limited code range", number[:-_RANGE_DIGITS])),
            (parse(CODES_PER_COUNTRY), f"code country:{page}/{country}"),
            (parse(f"{codes_a_day}/day"), f"code page:{page}"),
        )

    def require_try(self, subscriber: str) -> None:
        """Count a guess of the code of one number; raises likewise."""
        self._require((parse(TRIES), f"try:{subscriber}"))

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
            if not self._limiter.hit(limit, name):  # another process was faster
                raise self._refusal(limit, name)

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

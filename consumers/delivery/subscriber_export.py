"""All subscribers with their addresses in clear, part by part: the one place where addresses leave for an operator.

Reads the fold of subscriptions and the key store. It decides nothing of who may ask.
"""

from collections.abc import Sequence

from consumers.delivery.reminders import ORIGIN as OF_THE_CONFIGURATION
from consumers.delivery.reports import Addresses
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import REMOVED, Subscriber
from consumers.web.ports import ExportedSubscriber


class SubscriberExport:
    """Lists those who can be reached, or could be: all but who is removed or erased, and who the configuration names."""

    def __init__(self, subscribers: SubscriberBook, addresses: Addresses) -> None:
        self._subscribers = subscribers
        self._addresses = addresses

    def list(self, page: str, after: str | None, limit: int) -> tuple[Sequence[ExportedSubscriber], str | None]:
        """Return subscribers behind a cursor in the order of their ids, and the next cursor if there is more."""
        listed = self._subscribers.listed(page, after, limit + 1)
        more = listed[limit - 1].id if len(listed) > limit else None
        found = [self._row(one) for one in listed[:limit] if _is_ours(one)]
        return [row for row in found if row is not None], more

    def _row(self, one: Subscriber) -> ExportedSubscriber | None:
        endpoint = self._addresses.opened(one)
        if endpoint is None:
            return None
        return ExportedSubscriber(
            one.id,
            one.channel,
            endpoint.address,
            endpoint.secret,
            one.state,
            one.reason,
            one.filter,
            one.created_at,
            one.pace,
            one.audience,
        )


def _is_ours(one: Subscriber) -> bool:
    return one.state != REMOVED and one.origin != OF_THE_CONFIGURATION

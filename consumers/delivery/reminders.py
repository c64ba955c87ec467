"""Operators who are reminded of promises: subscribers of their own kind, kept in step with the configuration."""

from collections.abc import Iterable

import msgspec

from consumers.delivery.channel import Endpoint
from consumers.delivery.subscribers import ACTIVE, Subscriber
from schemas import events as e
from schemas.events import EventData, Filter
from schemas.ids import random_id
from schemas.vocabulary import Impact, Kind
from streams.keys.vault import Vault

ORIGIN = "config"
CHANNEL = "email"
_WANTED = Filter(None, Impact.NONE, [Kind.REMINDER])


def reminder_changes(
    subscribers: Iterable[Subscriber], vault: Vault, page: str, addresses: tuple[str, ...]
) -> list[EventData]:
    """Return the events that make exactly ``addresses`` the reminded ones; none where nothing differs.

    ``subscribers`` are those who are reminded now, whatever others there may be among them. Keys for new ones are made in the vault first: an event
    without its key would be unreadable.
    """
    present = {known.id for known in subscribers if known.origin == ORIGIN and known.state == ACTIVE}
    changes: list[EventData] = []
    kept: set[str] = set()
    for address in addresses:
        lookup = f"{page}/remind/{address}"
        known = [key for key in vault.find(lookup) if key in present]
        if known:
            kept.update(known)
        else:
            changes.append(_added(vault, lookup, address))
    return [*changes, *(e.SubscriberRemoved(key, "operator") for key in sorted(present - kept))]


def _added(vault: Vault, lookup: str, address: str) -> e.SubscriberAdded:
    subscriber = random_id()
    vault.create(subscriber, lookup)
    sealed = vault.seal(subscriber, msgspec.json.encode(Endpoint(address)))
    return e.SubscriberAdded(subscriber, CHANNEL, sealed, _WANTED, True, ORIGIN)

"""What a confirmed sign-up brings about, what its end is called, and who may bring back an address that was suppressed."""

from schemas import events as e
from schemas.events import AnyEvent, Event, Micros
from schemas.ids import derive
from schemas.vocabulary import Suppression
from streams.keys.vault import Vault

BY_OPERATOR = (Suppression.REFUSED, Suppression.BOUNCED, Suppression.GONE, Suppression.FAILING)
"""What an operator may overrule who knows better than a provider. What an owner wants is the owner's to take back."""
BY_OWNER = (*BY_OPERATOR, Suppression.OPTED_OUT)
"""What an owner overrules who tells the provider so. A complaint is taken back by signing up anew, and by nothing less."""


def confirmation(vault: Vault, page: str, subscriber: str, now: Micros) -> list[AnyEvent]:
    """Return the events that make ``subscriber`` active in place of all others with the same address.

    Their ids depend on the subscribers alone: confirming twice appends once.
    """
    actor = f"subscriber:{subscriber}"
    confirmed = e.SubscriberConfirmed(subscriber)
    events: list[AnyEvent] = [
        Event(derive("confirm", page, subscriber), page, now, now, actor, None, None, False, confirmed)
    ]
    for other in vault.siblings(subscriber):
        removed = e.SubscriberRemoved(other, "replaced")
        identifier = derive("replace", page, other, subscriber)
        events.append(Event(identifier, page, now, now, actor, None, None, False, removed))
    return events


def departure_id(page: str, subscriber: str) -> str:
    """Return the id of the event that a subscriber left at its own wish: it leaves once, whoever brings the news."""
    return derive("unsubscribe", page, subscriber)

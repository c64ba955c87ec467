"""What a confirmed sign-up brings about, whichever way it was confirmed."""

from schemas import events as e
from schemas.events import AnyEvent, Event, Micros
from schemas.ids import derive
from streams.keys.vault import Vault


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

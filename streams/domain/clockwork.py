"""What time brings about on a page: delays that end, promises that run out, maintenance that starts and ends.

No clock here: a wish to be woken goes out with a step, and the wake-up comes back as an event.
"""

from schemas import events as e
from schemas.events import AnyEvent, Micros
from schemas.ids import derive
from schemas.vocabulary import MaintenanceStatus
from streams.domain import drafting
from streams.domain import page as facts
from streams.domain.model import Incident, Maintenance
from streams.domain.processor import Output
from streams.domain.state import State

MOST_NOTICE: Micros = 5 * 60 * 1_000_000
STARTED, COMPLETED = "The maintenance has begun.", "The maintenance is completed."


def remind_at(promised: Micros, made: Micros) -> Micros:
    """Return when operators are reminded of a promise: a third of its span before it is due, at most five minutes."""
    return promised - min(MOST_NOTICE, max(0, promised - made) // 3)


def fired(state: State, event: AnyEvent, timer: str, due: Micros, out: Output) -> None:
    """A timer of this page came due."""
    name, _, identifier = timer.partition(":")
    match name:
        case "draft":
            _delay_over(state, event, identifier, due, out)
        case "promise":
            _promise_due(state, event, identifier, due, out)
        case "start":
            _maintenance_due(state, event, identifier, MaintenanceStatus.IN_PROGRESS, STARTED, out)
        case "end":
            _maintenance_due(state, event, identifier, MaintenanceStatus.COMPLETED, COMPLETED, out)
        case _:
            out.ignore("no such timer")


def applied(state: State, event: AnyEvent, out: Output) -> None:
    """A fact was applied that moves timers."""
    match event.data:
        case e.IncidentOpened(incident=incident) | e.IncidentUpdated(incident=incident):
            _watch_promise(state, event, incident, out)
        case e.MaintenanceScheduled(maintenance=maintenance, starts_at=starts_at, ends_at=ends_at):
            out.wake(f"start:{maintenance}", starts_at)
            out.wake(f"end:{maintenance}", ends_at)
        case e.MaintenanceUpdated(maintenance=maintenance, status=MaintenanceStatus.COMPLETED):
            out.wake(f"start:{maintenance}", None)
            out.wake(f"end:{maintenance}", None)
        case e.MaintenanceUpdated(maintenance=maintenance, status=status) if status is not MaintenanceStatus.SCHEDULED:
            out.wake(f"start:{maintenance}", None)
        case _:
            pass


def _watch_promise(state: State, event: AnyEvent, incident_id: str, out: Output) -> None:
    incident: Incident | None = state[facts.INCIDENTS].get(event.page, incident_id)
    promised = None if incident is None or not incident.is_open or incident.drill else incident.promise_at
    due = None if incident is None or promised is None else remind_at(promised, incident.updates[-1].at)
    out.wake(f"promise:{incident_id}", due)


def _delay_over(state: State, event: AnyEvent, draft_id: str, due: Micros, out: Output) -> None:
    draft = state[facts.DRAFTS].get(event.page, draft_id)
    if draft is None or draft.approved or draft.waits_for != drafting.DELAY or draft.publish_at != due:
        out.ignore("the draft went out or was withdrawn")
        return
    if drafting.is_silent(state, event.page, draft):
        out.ignore("maintenance masks all that the draft speaks of")  # the end of the maintenance asks again
        return
    drafting.publish(state, event, draft_id, out)


def _promise_due(state: State, event: AnyEvent, incident_id: str, due: Micros, out: Output) -> None:
    incident: Incident | None = state[facts.INCIDENTS].get(event.page, incident_id)
    if incident is None or not incident.is_open or incident.promise_at is None:
        out.ignore("no promise is open")
    elif (wanted := remind_at(incident.promise_at, incident.updates[-1].at)) != due:
        # A wake-up uses up the wish. This one was under way when the promise was replaced, so the wish is said again.
        out.wake(f"promise:{incident_id}", wanted)
        out.ignore("the promise was replaced")
    elif incident.reminded == incident.promise_at:
        # A log may repeat a wake-up, and whoever joined since would be reminded of what is long past.
        out.ignore("operators were reminded of it before")
    else:
        out.emit(e.PromiseReminded(incident_id, incident.promise_at), event.occurred_at)


def _maintenance_due(
    state: State, event: AnyEvent, identifier: str, status: MaintenanceStatus, body: str, out: Output
) -> None:
    known: Maintenance | None = state[facts.MAINTENANCES].get(event.page, identifier)
    if known is None or known.status is MaintenanceStatus.COMPLETED:
        out.ignore("the maintenance is over or unknown")
    elif status is MaintenanceStatus.IN_PROGRESS and known.is_active:
        out.ignore("the maintenance has begun already")
    else:
        update = derive("update", identifier, event.id)
        out.emit(e.MaintenanceUpdated(identifier, update, status, body), event.occurred_at, drill=known.drill)

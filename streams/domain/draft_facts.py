"""How facts about drafts change a page: written, revised, approved, dismissed, withdrawn."""

from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent
from streams.domain.model import Draft
from streams.domain.processor import Output
from streams.domain.state import State
from streams.domain.tables import DRAFTS


def draft_written(state: State, event: AnyEvent, data: e.DraftWritten, out: Output) -> None:
    """Apply ``DraftWritten``."""
    if state[DRAFTS].get(event.page, data.draft) is not None:
        return out.ignore("this draft was written before")
    draft = Draft(
        id=data.draft,
        incident=data.incident,
        rule=data.rule,
        component=data.component,
        title=data.title,
        body=data.body,
        status=data.status,
        affects=data.affects,
        waits_for=data.waits_for,
        publish_at=data.publish_at,
        started_at=data.started_at,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        approved=False,
        drill=event.drill,
    )
    state[DRAFTS].put(event.page, data.draft, draft)
    return None


def draft_revised(state: State, event: AnyEvent, data: e.DraftRevised, out: Output) -> None:
    """Apply ``DraftRevised``."""
    if (draft := _waiting_draft(state, event, data.draft, out)) is not None:
        revised = replace(draft, title=data.title, body=data.body, affects=data.affects, updated_at=event.recorded_at)
        state[DRAFTS].put(event.page, data.draft, revised)


def draft_approved(state: State, event: AnyEvent, data: e.DraftApproved, out: Output) -> None:
    """Apply ``DraftApproved``: the draft stays until it is published."""
    if (draft := _waiting_draft(state, event, data.draft, out)) is not None:
        state[DRAFTS].put(event.page, data.draft, replace(draft, approved=True, updated_at=event.recorded_at))


def draft_dismissed(state: State, event: AnyEvent, data: e.DraftDismissed, out: Output) -> None:
    """Apply ``DraftDismissed``."""
    if _waiting_draft(state, event, data.draft, out) is not None:
        state[DRAFTS].delete(event.page, data.draft)


def draft_withdrawn(state: State, event: AnyEvent, data: e.DraftWithdrawn, out: Output) -> None:
    """Apply ``DraftWithdrawn``: also where it was approved in the meantime, for that approval came too late."""
    if state[DRAFTS].get(event.page, data.draft) is None:
        out.ignore("no such draft is waiting")
    else:
        state[DRAFTS].delete(event.page, data.draft)


def _waiting_draft(state: State, event: AnyEvent, draft_id: str, out: Output) -> Draft | None:
    draft: Draft | None = state[DRAFTS].get(event.page, draft_id)
    if draft is None:
        out.ignore("no such draft is waiting")
    elif draft.approved:
        out.ignore("the draft was approved before")
        return None
    return draft

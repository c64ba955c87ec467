"""What commands answer, as OpenAPI shows it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from producers.commands.bodies.fields import CellChoice
from schemas.vocabulary import Audience, CellStatus, Impact, IncidentStatus, MaintenanceStatus


class Answer(BaseModel):
    """A JSON object that is answered; times are ISO 8601 in UTC."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Wrong(Answer):
    """One field that is wrong, by its path: ``affects[0].component``."""

    field: str
    message: str


class Refusal(Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = None
    field: str | None = None
    errors: list[Wrong] | None = None


class Pending(Answer):
    """Durable, but what it came to is not known within a second: look again."""

    id: str
    state: str


class TouchedCell(CellChoice):
    """One cell and its status."""

    status: CellStatus


class IncidentMade(Answer):
    """An incident as it was opened."""

    id: str
    update: str
    title: str
    status: IncidentStatus
    impact: Impact
    affects: list[TouchedCell]
    audience: Audience
    created_at: str
    promise_at: str | None
    """When the next update is due."""
    drill: bool
    url: str


class UpdateMade(Answer):
    """An update; ``id`` is the incident's."""

    id: str
    update: str
    status: IncidentStatus
    affects: list[TouchedCell]
    """The cells whose status it changed."""
    created_at: str
    promise_at: str | None


class DraftDecided(Answer):
    """A draft that is approved or dismissed."""

    id: str
    draft: str
    state: str


class MaintenanceMade(Answer):
    """A maintenance as it was announced."""

    id: str
    update: str
    title: str
    status: MaintenanceStatus
    affects: list[TouchedCell]
    audience: Audience
    starts_at: str
    ends_at: str
    created_at: str
    drill: bool
    url: str


class MaintenanceMoved(Answer):
    """An update of a maintenance; ``id`` is the maintenance's."""

    id: str
    update: str
    status: MaintenanceStatus
    created_at: str


class Assigned(Answer):
    """Whom a subscriber belongs to from now on."""

    id: str
    audience: Audience


class SignedUp(Answer):
    """A sign-up. ``secret`` verifies what a webhook gets; it is shown this once."""

    id: str
    state: str
    secret: str | None = None


class BatchResult(Answer):
    """What became of one subscriber of a batch.

    ``added``; ``known``: the address is subscribed already, and nothing of that was changed; ``left``: it was subscribed,
    and its owner has left; ``refused``: ``errors`` say why.
    """

    status: Literal["added", "known", "left", "refused"]
    id: str | None = None
    """Absent for what is refused, and for what a dry run would add."""
    state: Literal["active", "pending"] | None = None
    """Of one that was added: whether its owner is asked first."""
    secret: str | None = None
    """Of a webhook that was added without one."""
    errors: list[Wrong] | None = None


class BatchDone(Answer):
    """The results, in the order of the batch."""

    results: list[BatchResult]


class LetterShape(Answer):
    """A dead letter without its bytes."""

    id: str
    source: str
    reason: str
    content_type: str
    size: int
    """Bytes."""
    received_at: str
    expires_at: str
    """From when on nobody can read its bytes."""
    redriven_at: str | None
    redriven_by: str | None


class LetterList(Answer):
    """Dead letters, the newest first; ``next`` goes into ``after``, null at the end."""

    deadletters: list[LetterShape]
    next: str | None


class LetterBody(Answer):
    """The original bytes: as text where they are UTF-8, else in base64."""

    id: str
    encoding: Literal["utf-8", "base64"]
    body: str


class LetterRedriven(Answer):
    """What the source made of a dead letter this time: alerts that are new on the log, and what says nothing new."""

    id: str
    accepted: int
    ignored: int
    events: list[str]


class Left(Answer):
    """A notification that is left as it is, and why."""

    notification: str
    reason: str


class Redriven(Answer):
    """What is sent after all, in its turn, and what is not."""

    redriven: list[str]
    refused: list[Left]


class Erased(Answer):
    """A subscriber whose address can no longer be read by anybody."""

    id: str
    state: str


class Reinstated(Answer):
    """A subscriber who is told again."""

    id: str
    state: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these error statuses."""
    return {status: {"model": Refusal, "description": _MEANINGS[status]} for status in statuses}


PENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": Pending, "description": "Durable; the verdict is not known yet."}
}
_MEANINGS = {
    400: "Something is wrong with the request; `errors` names every field.",
    401: "No valid operator token.",
    403: "The role is not enough.",
    404: "There is no such page or thing.",
    409: "It came too late: what is asked for makes no sense in the present state; `detail` says why.",
    410: "The link was good once.",
    413: "The body is longer than 1 MiB.",
    415: "The body is not declared as JSON.",
    422: "The Idempotency-Key was used for something else.",
    429: "Too many attempts: try again after Retry-After.",
    503: "Nothing was stored: try again after Retry-After.",
}

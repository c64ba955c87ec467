"""For whom something is, and what somebody may name, as commands ask it. The rules are ``streams.domain.audiences``'."""

from collections.abc import Collection, Sequence

from producers.commands.deps import Door
from schemas.events import Cell, Effect
from schemas.vocabulary import Audience
from streams.domain.audiences import audience_of, hidden
from streams.domain.model import PageView
from streams.runtime.problems import FieldError, invalid
from streams.runtime.validation import invalid_fields


def audience_for(view: PageView, said: Audience | None, affects: Sequence[Effect]) -> Audience:
    """Return for whom something is that ``affects`` these: as was said, else the public unless all of it is internal.

    Raises ProblemError 400 where the public would be told of something internal.
    """
    internal = hidden(view.components)
    audience = said or audience_of([effect.component for effect in affects], internal)
    if audience is Audience.PUBLIC:
        require_public(internal, affects)
    return audience


def require_public(internal: Collection[str], affects: Sequence[Effect]) -> None:
    """Raise ProblemError 400 where something that is told to the public names what is internal."""
    named = sorted({effect.component for effect in affects if effect.component in internal})
    if named:
        verb = "is" if len(named) == 1 else "are"
        raise invalid(
            "affects", f"{', '.join(named)} {verb} internal: leave it out, or tell an internal audience alone"
        )


def require_choosable(view: PageView, cells: Sequence[Cell] | None) -> None:
    """Raise ProblemError 400 that names each line of a public subscriber's filter that is internal."""
    internal = hidden(view.components)
    wrong = tuple(
        FieldError(f"cells[{index}].component", "is internal, and the subscriber is not")
        for index, cell in enumerate(cells or ())
        if cell.component in internal
    )
    if wrong:
        raise invalid_fields(wrong[:50])


def require_private(door: Door | None, audience: Audience) -> None:
    """Refuse to make somebody internal whose channel everybody reads. Raises ProblemError 400."""
    if door is not None and door.posts_publicly and audience is Audience.INTERNAL:
        raise invalid("audience", "must be public: everybody reads what this channel sends")

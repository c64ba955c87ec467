"""What a matter's template says at one moment: bound to its words, rendered only when it is used."""

import msgspec

from schemas.events import Micros, TemplateDefined
from schemas.vocabulary import IncidentStatus
from streams.domain.wording import Words, text_of, title_of


class Speech(msgspec.Struct, frozen=True):
    """A template, its words, and the promise that the words make (None where they make none)."""

    template: TemplateDefined | None
    words: Words
    promise_at: Micros | None

    def title(self) -> str:
        """The incident's title."""
        return title_of(self.template, self.words)

    def text(self, status: IncidentStatus) -> str:
        """The text for ``status``; one that the template does not have says what the opening says."""
        known = self.template is not None and status in self.template.texts
        return text_of(self.template, status if known else IncidentStatus.INVESTIGATING, self.words)

    def resolved(self) -> str:
        """The all-clear."""
        return text_of(self.template, IncidentStatus.RESOLVED, self.words)

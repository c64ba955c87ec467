"""Times in templates: each is a ``time`` element in the page's zone that a script may turn into the reader's own."""

from datetime import tzinfo

from markupsafe import Markup

from consumers.web.render.words import duration
from consumers.web.render.zone import clock, local, moment, stamp
from schemas.events import Micros


class Times:
    """What a template says about moments and stretches of time."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def moment(self, at: Micros) -> Markup:
        """Return a date and time."""
        return self._element(at, "moment", moment(at, self._zone))

    def clock(self, at: Micros) -> Markup:
        """Return a time of day."""
        return self._element(at, "clock", clock(at, self._zone))

    def span(self, start: Micros, end: Micros) -> Markup:
        """Return a stretch of time; the second date is left out where it is the same day."""
        same_day = local(start, self._zone).date() == local(end, self._zone).date()
        return Markup("{} to {}").format(self.moment(start), self.clock(end) if same_day else self.moment(end))

    @staticmethod
    def lasted(start: Micros, end: Micros) -> str:
        """Return how long something took."""
        return duration((end - start) // 1_000_000)

    def _element(self, at: Micros, form: str, text: str) -> Markup:
        return Markup('<time datetime="{}" data-form="{}">{}</time>').format(stamp(at, self._zone), form, text)

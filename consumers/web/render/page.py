"""The status page as HTML: a view in, the bytes of a page out. It works without script; it neither reads nor waits.

What a page shows depends on ``now`` only for the days that it lists: prepared bytes are good until midnight in the
page's zone. The scripts and styles are ``static/page.js`` and ``static/page.css``; nothing is inline but SVG.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from consumers.web.render import selection, words
from consumers.web.render.affected import affected
from consumers.web.render.board import all_rows, board
from consumers.web.render.managed import EVERYTHING, Managed
from consumers.web.render.markdown import to_html
from consumers.web.render.offers import BY_DEFAULT, Offers
from consumers.web.render.paced import zones
from consumers.web.render.subject import of_incident, of_maintenance
from consumers.web.render.timeline import history, past_days
from consumers.web.render.times import Times
from consumers.web.render.uptime import Uptime
from consumers.web.render.zone import day_of, zone_of
from schemas.events import Micros
from streams.domain.model import Incident, Maintenance, PageView
from streams.domain.rollup import MAINTENANCE, PageStatus, status_of_page

TEMPLATES = Path(__file__).parents[1] / "templates"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What the pages need and no more; to be sent with each of them."""

HONEYPOT = "website"
"""A field that people do not see; whoever fills it is not a person."""

MANY_ROWS = 40
"""On a page with more rows than this, groups without trouble are folded."""

NO_UPTIME: Uptime = MappingProxyType({})
_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("Please check what you entered", "{detail} Your browser's way back leads to the form as you filled it in."),
    404: ("There is nothing here", "The address may be mistyped, or what it named was never public."),
    410: ("This link is used up", "It was used already or is too old. You can sign up again at any time."),
    409: ("That is not possible", "Only who is subscribed by mail, and not on a pause, can do this."),
    413: ("That is too much", "The form is larger than any that this page has."),
    415: ("That was no form", "Please use the form on this page."),
    429: ("That was too often", "Nothing was changed or sent. Please try again in an hour."),
    500: ("Something went wrong on our side", "That is about this page alone. Please try again in a moment."),
    503: ("We cannot take this now", "Nothing was changed or sent. Please try again in a moment."),
}


class Pages:
    """All pages of the site. ``asset`` turns the name of a static file into its address; ``offers`` are the channels."""

    def __init__(self, asset: Callable[[str], str], offers: Offers = BY_DEFAULT) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._templates.globals |= {
            "asset": asset,
            "words": words,
            "honeypot": HONEYPOT,
            "everything": EVERYTHING,
            "offers": offers,
            "zones": zones,
        }
        self._templates.filters |= {"markdown": to_html, "day": day_of}

    def index(self, view: PageView, uptime: Uptime, now: Micros) -> bytes:
        """Return ``/``: how all is now, the last ninety days, and what happened lately."""
        page = view.page
        rows = board(view, uptime)
        return self._render(
            "index.html",
            view,
            open=[of_incident(page, each) for each in selection.unresolved(view)],
            active=[of_maintenance(page, each) for each in selection.active(view)],
            upcoming=[of_maintenance(page, each) for each in selection.upcoming(view)],
            rows=rows,
            many=sum(1 for _ in all_rows(rows)) > MANY_ROWS,
            past=past_days(view, now),
        )

    def history(self, view: PageView, number: int, now: Micros) -> bytes | None:
        """Return ``/history?page=N``: three months a page, the present first; None where there is no such page."""
        found = history(view, number, now)
        return None if found is None else self._render("history.html", view, history=found)

    def incident(self, view: PageView, incident: Incident) -> bytes:
        """Return ``/incidents/CODE``."""
        return self._render("subject.html", view, subject=of_incident(view.page, incident))

    def maintenance(self, view: PageView, maintenance: Maintenance) -> bytes:
        """Return ``/maintenances/CODE``."""
        return self._render("subject.html", view, subject=of_maintenance(view.page, maintenance))

    def subscribe(self, view: PageView, problem: str = "") -> bytes:
        """Return ``/subscribe``: the form on a page of its own, with what was wrong with the last attempt."""
        return self._render("subscribe.html", view, problem=problem)

    def confirm(self, view: PageView, action: str) -> bytes:
        """Return the page of a confirmation link: its button posts to ``action``, because mail scanners follow links."""
        return self._render("confirm.html", view, action=action)

    def unsubscribe(self, view: PageView, action: str, manage: str = "") -> bytes:
        """Return the page of an unsubscribe link: its button posts to ``action``; ``manage`` leads to other choices."""
        return self._render("unsubscribe.html", view, action=action, manage=manage)

    def lost_link(self, view: PageView) -> bytes:
        """Return ``/manage``: whoever lost the link to their subscription has it mailed."""
        return self._render("lost_link.html", view)

    def manage(self, view: PageView, action: str, managed: Managed) -> bytes:
        """Return the page of a subscriber's own subscription; its forms post to ``action`` and below."""
        return self._render("manage.html", view, action=action, managed=managed)

    def code(self, view: PageView, action: str) -> bytes:
        """Return the form for the code that a phone number was sent."""
        return self._render("code.html", view, action=action)

    def message(self, view: PageView, title: str, text: str, back: str = "") -> bytes:
        """Return a page that says one thing, as after a sign-up; ``back`` is where one came from."""
        return self._render("message.html", view, title=title, text=text, back=back)

    def error(self, view: PageView | None, status: int, detail: str = "") -> bytes:
        """Return the page of an error; without a view where even that could not be had.

        ``detail`` says what was wrong with a form, where that is for its reader to mend.
        """
        title, text = _ERRORS.get(status, _ERRORS[404 if status < 500 else 500])
        text = text.format(detail=detail)
        if view is None:
            return self._bytes("bare.html", title=title, text=text, status=status)
        return self._render("message.html", view, title=title, text=text, back="")

    def _render(self, template: str, view: PageView, **content: object) -> bytes:
        status = status_of_page(view)
        return self._bytes(
            template,
            view=view,
            settings=view.settings,
            status=status,
            tone=_tone(status),
            form_rows=board(view, NO_UPTIME),
            times=Times(zone_of(view.settings.timezone)),
            affected=lambda subject: affected(view, subject),
            **content,
        )

    def _bytes(self, template: str, **content: object) -> bytes:
        return self._templates.get_template(template).render(content).encode("utf-8", "replace")


def _tone(status: PageStatus) -> str:
    """Return the banner's tone. A client that does not know ``maintenance`` must not make the page look calm."""
    if status.description == MAINTENANCE.description:
        return "maintenance"
    return words.IMPACT_TONE[status.indicator]

"""RSS 2.0 and Atom: one entry for each incident and maintenance, with all its updates, newest first.

An entry's id never changes, not even when the page moves to another address, and its time moves with each update:
a reader shows it again. https://www.rssboard.org/rss-specification and RFC 4287.
"""

import re
from collections.abc import Callable, Iterable
from heapq import nlargest
from uuid import NAMESPACE_URL, uuid5

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from markupsafe import Markup

from consumers.web.render.markdown import to_html
from consumers.web.render.subject import Post, Subject, subject_of
from consumers.web.render.times import Times
from consumers.web.render.words import STAGE
from consumers.web.render.zone import local, zone_of
from schemas.events import Micros
from streams.domain.model import Incident, Maintenance, PageView

MOST = 50
"""So many entries a feed holds: those that changed last."""

RSS_TYPE = "application/rss+xml; charset=utf-8"
ATOM_TYPE = "application/atom+xml; charset=utf-8"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def rss(view: PageView) -> bytes:
    """Return ``/history.rss``."""
    # RSS knows one time only, and it is the one by which readers sort.
    body: bytes = _feed(view, "/history.rss", "application/rss+xml", lambda subject: subject.updated_at).rss_str()
    return body


def atom(view: PageView) -> bytes:
    """Return ``/history.atom``."""
    body: bytes = _feed(view, "/history.atom", "application/atom+xml", lambda subject: subject.created_at).atom_str()
    return body


def subjects(view: PageView) -> list[Subject]:
    """Return what the feeds tell, the last changed first; drills are left out."""
    shown: list[Incident | Maintenance] = [*view.incidents.values(), *view.maintenances.values()]
    newest = nlargest(MOST, (each for each in shown if not each.drill), key=lambda each: (each.updated_at, each.id))
    return [subject_of(view.page, each) for each in newest]


def _feed(view: PageView, path: str, media_type: str, published: Callable[[Subject], Micros]) -> FeedGenerator:
    settings = view.settings
    url = settings.url.rstrip("/")
    name = _text(settings.name)
    feed = FeedGenerator()
    feed.id(_id(view.page, "feed", "history"))
    feed.title(f"{name} status")
    feed.subtitle(f"Incidents and maintenance of {name}")
    feed.author({"name": name})
    feed.link(href=url + path, rel="self", type=media_type)
    feed.link(href=f"{url}/", rel="alternate", type="text/html")
    feed.language("en")
    feed.updated(local(view.updated_at, zone_of(settings.timezone)))
    feed.generator("Tocsin")
    for subject in subjects(view):
        feed.add_entry(_entry(view, subject, url, published(subject)), order="append")
    return feed


def _entry(view: PageView, subject: Subject, url: str, published: Micros) -> FeedEntry:
    zone = zone_of(view.settings.timezone)
    entry = FeedEntry()
    entry.id(_id(view.page, subject.kind, subject.id))
    entry.guid(_id(view.page, subject.kind, subject.id), permalink=False)
    entry.title(_text(subject.title) or "Untitled")
    entry.link(href=url + subject.path, rel="alternate", type="text/html")
    entry.category(term=subject.impact)
    entry.published(local(published, zone))
    entry.updated(local(subject.updated_at, zone))
    entry.content(_content(subject.posts, Times(zone)), type="html")
    return entry


def _content(posts: Iterable[Post], times: Times) -> str:
    return _text(Markup("").join(_post(post, times) for post in posts)) or "No updates yet."


def _post(post: Post, times: Times) -> Markup:
    head = Markup("<p><strong>{}</strong> - {}</p>").format(STAGE[post.update.status], times.moment(post.update.at))
    return head + to_html(post.update.body)


def _id(page: str, kind: str, name: str) -> str:
    return uuid5(NAMESPACE_URL, f"tocsin/{page}/{kind}/{name}").urn


def _text(text: str) -> str:
    """Return the text without the characters that XML 1.0 forbids; lxml refuses the whole document otherwise."""
    return _NOT_XML.sub("\ufffd", str(text))

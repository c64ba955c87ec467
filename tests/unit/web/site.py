"""Every page of the site from the builders' views, and a small server that shows them to a browser."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from consumers.web.render.assets import Assets
from consumers.web.render.managed import EVERYTHING, Choice, Chosen, Managed
from consumers.web.render.offers import Offer, Offers
from consumers.web.render.paced import paced
from consumers.web.render.page import CONTENT_SECURITY_POLICY, Pages
from schemas.events import Pace, QuietHours
from schemas.vocabulary import Impact, Kind
from streams.domain.model import PageView
from tests.builders import acme
from tests.builders.views import NOW

MANAGED = Managed(
    "email",
    "a***@example.com",
    "paused",
    Chosen(
        False,
        frozenset({"api/eu", "login", "platform/eu"}),
        [Choice("platform/eu", "Platform: Europe")],
        Impact.MAJOR,
        frozenset({Kind.INCIDENT}),
    ),
    paced(Pace(QuietHours(22 * 60, 7 * 60 + 30, "Europe/Berlin"), None, 1_200, False), "UTC"),
)
ASSETS = Assets.load()
PAGES = Pages(ASSETS.url)
_SLACK = Offer("slack", "Slack", "https://hooks.slack.com/services/T0/B0/abc")
OFFERING = Pages(
    ASSETS.url, Offers(others=[_SLACK, Offer("teams", "Teams", "https://x.example/")], phone="+4915123456789")
)
KEY = "BA7i-xgFVt-7qTkyXIJ8opZ9PFmYEqrjkxmaLGXbTYdhBBPkzkPfnFXDcPq7EIgGlkPVCeA6UAM1Upqtw3zDBtE"
PUSHING = Pages(ASSETS.url, Offers(browser_key=KEY))
CHATS = Pages(ASSETS.url, Offers(email=False, webhook=False, others=[_SLACK]))


def every_page() -> dict[str, bytes]:
    """Return each page in each of its states by a name."""
    outage = acme.outage()
    return {
        "index quiet": PAGES.index(acme.quiet(), acme.uptime(), NOW),
        "index outage": PAGES.index(outage, acme.uptime(outage_today=True), NOW),
        "index maintenance": PAGES.index(acme.in_maintenance(), acme.uptime(), NOW),
        "index empty": PAGES.index(acme.empty(), {}, NOW),
        "index without uptime": PAGES.index(outage, {}, NOW),
        "history": PAGES.history(outage, 1, NOW) or b"",
        "history 2": PAGES.history(outage, 2, NOW) or b"",
        "open incident": PAGES.incident(outage, acme.open_outage()),
        "post-mortem": PAGES.incident(outage, acme.past_incidents()[1]),
        "running maintenance": PAGES.maintenance(acme.in_maintenance(), acme.running()),
        "announced maintenance": PAGES.maintenance(outage, acme.announced()),
        "subscribe": PAGES.subscribe(outage),
        "subscribe again": PAGES.subscribe(outage, "That is not an email address."),
        "confirm": PAGES.confirm(outage, "/confirm/abc"),
        "unsubscribe": PAGES.unsubscribe(outage, "/unsubscribe/abc"),
        "lost link": PAGES.lost_link(outage),
        "manage": PAGES.manage(outage, "/manage/abc", MANAGED),
        "manage all": PAGES.manage(acme.empty(), "/manage/abc", replace(MANAGED, state="active", chosen=EVERYTHING)),
        "manage dead": PAGES.manage(outage, "/manage/abc", replace(MANAGED, state="suppressed")),
        "code": PAGES.code(outage, "/manage/abc/phone/def"),
        "manage phone": OFFERING.manage(outage, "/manage/abc", replace(MANAGED, state="active")),
        "subscribe anywhere": OFFERING.subscribe(outage),
        "subscribe by chat": CHATS.subscribe(outage),
        "subscribe in a browser": PUSHING.subscribe(outage),
        "message": PAGES.message(outage, "Check your mail", "We sent you a link."),
        "400": PAGES.error(outage, 400, "Kinds: choose at least one."),
        "404": PAGES.error(outage, 404),
        "410": PAGES.error(outage, 410),
        "500": PAGES.error(outage, 500),
        "500 bare": PAGES.error(None, 500),
    }


class Site:
    """What the server shows now, and a way to tell the browsers of a change."""

    def __init__(self, view: PageView) -> None:
        self.pages = {name.replace(" ", "-"): html for name, html in every_page().items()}
        self.url = ""
        self.posted: list[tuple[str, dict[str, list[str]]]] = []
        """What forms and scripts have sent, by path."""
        self.refusal: dict[str, str] | None = None
        """What they are answered instead of success."""
        self._changed = threading.Condition()
        self._version = 0
        self._open = True
        self.show(view, tell=False)

    def show(self, view: PageView, *, tell: bool = True) -> None:
        """Show another view of the page; ``tell`` sends the event."""
        self.pages[""] = PAGES.index(view, acme.uptime(), NOW)
        with self._changed:
            self._version += tell
            self._changed.notify_all()

    def hang_up(self) -> None:
        """End all streams and answer no more of them."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    @property
    def is_open(self) -> bool:
        """Whether streams are answered."""
        return self._open

    def changes(self) -> Iterator[bytes]:
        """Yield what goes over one stream."""
        seen = self._version
        yield b": hello\n\n"
        while self._open:
            with self._changed:
                self._changed.wait(0.2)
                if self._version == seen:
                    continue
                seen = self._version
            yield b"event: changed\ndata: changed\n\n"


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    """Return the class that answers the browser's requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.removeprefix("/")
            if path == "events/stream" and site.is_open:
                self._stream()
            elif path.startswith("static/"):
                asset = ASSETS.files[path.removeprefix("static/")]
                self._answer(asset.content, asset.media_type)
            elif path in site.pages:
                self._answer(site.pages[path], "text/html; charset=utf-8")
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            site.posted.append((self.path, parse_qs(body)))
            status = HTTPStatus.OK if site.refusal is None else HTTPStatus.BAD_REQUEST
            self._answer(json.dumps(site.refusal or {}).encode(), "application/json", status)

        def log_message(self, *_: object) -> None:
            """Say nothing: the browser's requests are not what a test prints."""

        def _answer(self, body: bytes, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # the browser went on
                for change in site.changes():
                    self.wfile.write(change)
                    self.wfile.flush()

    return Handler


@contextmanager
def serving(view: PageView) -> Iterator[Site]:
    """Serve a site on the loopback interface until the block ends."""
    site = Site(view)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        site.hang_up()
        server.shutdown()
        thread.join()
        server.server_close()

"""The mailbox as web pages: a list, and each mail as text and as HTML that can do nothing. Works without JavaScript.

A mail's HTML is somebody else's: it is sanitised, and shown in a sandboxed frame whose policy forbids all but styles.
"""

from dataclasses import dataclass

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tocsin.demo.catcher import Mail, Mailbox

_HEADERS = ("From", "To", "Date", "Subject", "List-Unsubscribe", "Message-ID", "X-Tocsin-Notification")
_SAFE = "default-src 'none'; style-src 'unsafe-inline'; img-src 'none'; form-action 'none'; base-uri 'none'"
_PAGE_POLICY = f"{_SAFE}; frame-src 'self'; frame-ancestors 'none'"
_MAIL_POLICY = f"{_SAFE}; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
_TAGS = nh3.ALLOWED_TAGS | {"footer", "header", "main", "section"}
_STYLES = {
    "background", "background-color", "border", "border-radius", "color", "display", "font", "font-size", "font-weight",
    "line-height", "margin", "max-width", "padding", "text-align", "text-decoration", "width",
}  # fmt: skip
_FRAME = "<!doctype html><meta charset=utf-8><body style='font: 16px/1.5 system-ui, sans-serif'>{}"
_CLEANER = nh3.Cleaner(
    tags=_TAGS - {"img"},
    clean_content_tags={"script", "style", "title"},
    attributes={**nh3.ALLOWED_ATTRIBUTES, "*": {"style"}},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes={"http", "https", "mailto"},
    filter_style_properties=_STYLES,
)
_TEMPLATES = Environment(
    loader=PackageLoader("tocsin.demo"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def mailbox_app(mailbox: Mailbox, page_url: str) -> Starlette:
    """Return the web application; ``page_url`` is the status page's, for a link."""
    pages = _Pages(mailbox, page_url)
    routes = [
        Route("/", pages.index),
        Route("/mails.json", pages.as_json),
        Route("/mails/{number:int}", pages.mail),
        Route("/mails/{number:int}/html", pages.html),
        Route("/mails/{number:int}/source", pages.source),
    ]
    return Starlette(routes=routes)


@dataclass(frozen=True)
class _Pages:
    mailbox: Mailbox
    page_url: str

    async def index(self, request: Request) -> Response:
        chosen = request.query_params.get("to")
        mails = self.mailbox.mails(chosen)[::-1]
        return self._page("index.html", mails=mails, chosen=chosen, counts=sorted(self.mailbox.counts().items()))

    async def as_json(self, request: Request) -> Response:
        mails = self.mailbox.mails(request.query_params.get("to"))
        return JSONResponse({"mails": [_summary(mail) for mail in mails]})

    async def mail(self, request: Request) -> Response:
        mail = self._found(request)
        headers = [(name, value) for name in _HEADERS if (value := mail.header(name))]
        return self._page("mail.html", mail=mail, headers=headers, rich=bool(mail.text("html")))

    async def html(self, request: Request) -> Response:
        content = _CLEANER.clean(self._found(request).text("html"))
        return HTMLResponse(_FRAME.format(content), headers=_headers(_MAIL_POLICY))

    async def source(self, request: Request) -> Response:
        text = self._found(request).raw.decode("utf-8", "replace")
        return PlainTextResponse(text, headers=_headers(_PAGE_POLICY))

    def _found(self, request: Request) -> Mail:
        mail = self.mailbox.find(request.path_params["number"])
        if mail is None:
            raise HTTPException(404, "There is no such mail.")
        return mail

    def _page(self, template: str, **values: object) -> HTMLResponse:
        text = _TEMPLATES.get_template(template).render(page_url=self.page_url, **values)
        return HTMLResponse(text, headers=_headers(_PAGE_POLICY))


def _summary(mail: Mail) -> dict[str, object]:
    return {
        "number": mail.number,
        "arrived": mail.arrived.isoformat(timespec="milliseconds"),
        "to": list(mail.recipients),
        "subject": mail.subject,
        "notification": mail.header("X-Tocsin-Notification"),
        "text": mail.text("plain"),
    }


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }

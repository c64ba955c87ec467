"""A Mastodon server's API to post: https://docs.joinmastodon.org/methods/statuses/#create."""

import html
import re
from datetime import UTC, datetime, timedelta

from consumers.delivery.render.graphemes import clusters
from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.x_text import links_with_scheme

STATUSES = "/api/v1/statuses"
NAME, ACCOUNT = "status", "109000000000000001"
LOOKUP, SHOWN = "/api/v1/accounts/lookup", f"/api/v1/accounts/{ACCOUNT}/statuses"
TOKEN = "m4st0d0n-token"
LIMIT = 500
KEYS_KEPT = timedelta(hours=1)
_FIELDS = {"status", "in_reply_to_id", "visibility", "sensitive", "spoiler_text", "language", "scheduled_at"}


class Mastodon:
    """Takes posts of one account. ``posts`` are the forms of those that are there, by their ids; ``now`` is its clock."""

    def __init__(self, token: str = TOKEN, limit: int = LIMIT) -> None:
        self.posts: dict[str, dict[str, str]] = {}
        self.made_at: dict[str, datetime] = {}
        self.reads = False
        """Whether the token has the scopes to read; without it only what is public is shown, to who comes without a token."""
        self.now = datetime(2026, 11, 22, 14, 31, tzinfo=UTC)
        self._token = token
        self._limit = limit
        self._keys: dict[str, tuple[str, datetime]] = {}
        self._made = 0

    def delete(self, post: str) -> None:
        """Delete a post, as its author may."""
        del self.posts[post]

    def complaint(self, request: Request) -> str | None:
        if request.method == "GET":
            return self._hidden(request)
        if (request.method, request.path) != ("POST", STATUSES):
            return "there is nothing at this address"
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return "The access token is invalid"
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return "the body is not a form"
        form = request.form
        if set(form) - _FIELDS or any(len(values) > 1 for values in form.values()):
            return "there are unknown or repeated fields"
        if form.get("visibility", ["public"])[0] not in {"public", "unlisted", "private", "direct"}:
            return "Validation failed: visibility"
        if not 0 < official_length(form.get("status", [""])[0]) <= self._limit:
            return f"Validation failed: Text character limit of {self._limit} exceeded"
        return None

    def _hidden(self, request: Request) -> str | None:
        if request.path not in {LOOKUP, SHOWN}:
            return "there is nothing at this address"
        if "authorization" in request.headers and not self.reads:
            return "This action is outside the authorized scopes"
        known = request.path == SHOWN or request.query.get("acct") == [NAME]
        return None if known else "Record not found"

    def _shown(self, request: Request) -> Reply:
        if request.path == LOOKUP:
            return json_reply(200, {"id": ACCOUNT, "username": NAME, "acct": NAME})
        everything = "authorization" in request.headers
        shown = [
            _document(post, form) | {"created_at": self.made_at[post].isoformat().replace("+00:00", ".000Z")}
            for post, form in reversed(self.posts.items())
            if everything or form.get("visibility", "public") in {"public", "unlisted"}
        ]
        return json_reply(200, shown[: int(request.query.get("limit", ["20"])[0])])

    def invalid(self, request: Request, complaint: str) -> Reply:
        status = {"The access token is invalid": 401, "This action is outside the authorized scopes": 403}
        return refusal(404 if complaint == "Record not found" else status.get(complaint, 422), complaint)

    def accept(self, request: Request) -> Reply:
        if request.method == "GET":
            return self._shown(request)
        form = {name: values[0] for name, values in request.form.items()}
        key = request.headers.get("idempotency-key", "")
        known, since = self._keys.get(key, ("", self.now))
        if known and self.now - since < KEYS_KEPT:
            return _status(known, form) if known in self.posts else refusal(404, "Record not found")
        if form.get("in_reply_to_id") and form["in_reply_to_id"] not in self.posts:
            return refusal(404, "Record not found")
        self._made += 1
        made = str(115_000_000_000_000_000 + self._made)
        self.posts[made] = form
        self.made_at[made] = self.now
        if key:
            self._keys[key] = (made, self.now)
        return _status(made, form)


def refusal(status: int, error: str, headers: dict[str, str] | None = None) -> Reply:
    """Return how Mastodon refuses."""
    return json_reply(status, {"error": error}, headers)


def official_length(text: str) -> int:
    """Return a text's length by the rule of StatusLengthValidator: 23 for a link, a mention without its server, clusters."""
    for start, end in reversed(links_with_scheme(text)):
        text = text[:start] + "x" * 23 + text[end:]
    return clusters(re.sub(r"(?<![\w/])(@\w+)@[\w.-]+\w", r"\1", text))


def _status(made: str, form: dict[str, str]) -> Reply:
    return json_reply(200, _document(made, form))


def _document(made: str, form: dict[str, str]) -> dict[str, str | None]:
    """Return a post as the API shows it: paragraphs, breaks, and links in the parts that a reader sees and does not."""
    text = form["status"]
    for start, end in reversed(links_with_scheme(text)):
        scheme, _, rest = text[start:end].partition("://")
        text = f"{text[:start]}\0{scheme}://\1{rest[:30]}\2{rest[30:]}\3{text[end:]}"
    text = html.escape(text, quote=True).replace("\n\n", "</p><p>").replace("\n", "<br />")
    marks = {
        "\0": '<a href="https://x.example/" rel="nofollow"><span class="invisible">', "\1": '</span><span class="ellipsis">',
        "\2": '</span><span class="invisible">', "\3": "</span></a>",
    }  # fmt: skip
    for mark, tags in marks.items():
        text = text.replace(mark, tags)
    return {"id": made, "content": f"<p>{text}</p>", "in_reply_to_id": form.get("in_reply_to_id")}

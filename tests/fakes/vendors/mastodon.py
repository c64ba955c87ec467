"""A Mastodon server's API to post: https://docs.joinmastodon.org/methods/statuses/#create."""

import re
from datetime import UTC, datetime, timedelta

from consumers.delivery.render.graphemes import clusters
from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.x_text import links_with_scheme

STATUSES = "/api/v1/statuses"
TOKEN = "m4st0d0n-token"
LIMIT = 500
KEYS_KEPT = timedelta(hours=1)
_FIELDS = {"status", "in_reply_to_id", "visibility", "sensitive", "spoiler_text", "language", "scheduled_at"}


class Mastodon:
    """Takes posts of one account. ``posts`` are the forms of those that are there, by their ids; ``now`` is its clock."""

    def __init__(self, token: str = TOKEN, limit: int = LIMIT) -> None:
        self.posts: dict[str, dict[str, str]] = {}
        self.now = datetime(2026, 11, 22, 14, 31, tzinfo=UTC)
        self._token = token
        self._limit = limit
        self._keys: dict[str, tuple[str, datetime]] = {}
        self._made = 0

    def delete(self, post: str) -> None:
        """Delete a post, as its author may."""
        del self.posts[post]

    def complaint(self, request: Request) -> str | None:
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

    def invalid(self, request: Request, complaint: str) -> Reply:
        return refusal(401 if complaint.startswith("The access token") else 422, complaint)

    def accept(self, request: Request) -> Reply:
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
    reply = form.get("in_reply_to_id")
    return json_reply(200, {"id": made, "content": f"<p>{form['status']}</p>", "in_reply_to_id": reply})

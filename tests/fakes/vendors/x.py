"""X's API to create posts: https://docs.x.com/x-api/posts/create-post. By hand: X's terms let nobody pass its OpenAPI document on."""

import base64
import hmac
import json
import re
from typing import Any
from urllib.parse import quote, unquote

from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.x_text import official_weight

POSTS = "/2/tweets"
URL = f"https://api.twitter.com{POSTS}"
"""What a client signs; the server may be reached at another name."""
KEYS = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "12-at", "access_token_secret": "ats"}
LIMIT = 280
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
_FIELDS = {"text", "reply", "reply_settings", "media", "poll", "quote_tweet_id", "geo", "community_id", "nullcast"}
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_OAUTH = {
    "oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp", "oauth_token",
    "oauth_version",
}  # fmt: skip


class X:
    """Takes posts of accounts. ``posts`` are the bodies of those that are there, by their ids, ``authors`` the access tokens of who wrote them.

    ``remembers`` is how many posts of an account back it looks for the same text; how many X does is not published.
    """

    def __init__(self, *accounts: dict[str, str], remembers: int = 10) -> None:
        self.posts: dict[str, dict[str, Any]] = {}
        self._accounts = {account["access_token"]: account for account in accounts or (KEYS,)}
        self.authors: dict[str, str] = {}
        self._remembers = remembers
        self._nonces: set[str] = set()
        self._made = 0

    def delete(self, post: str) -> None:
        """Delete a post, as its author may."""
        del self.posts[post]

    def complaint(self, request: Request) -> str | None:
        if (request.method, request.path) != ("POST", POSTS):
            return "there is nothing at this address"
        return self._unsigned(request) or _wrong(request)

    def invalid(self, request: Request, complaint: str) -> Reply:
        if complaint.startswith("OAuth"):
            return problem(401, "Unauthorized", title="Unauthorized")
        return problem(400, "One or more parameters to your request was invalid.", title="Invalid Request")

    def accept(self, request: Request) -> Reply:
        body = request.json
        author = _authorization(request)["oauth_token"]
        if self._is_repeated(author, body["text"]):
            return problem(403, DUPLICATE)
        if "reply" in body and body["reply"]["in_reply_to_tweet_id"] not in self.posts:
            return problem(403, GONE)
        self._made += 1
        made = str(1_995_000_000_000_000_000 + self._made)
        self.posts[made], self.authors[made] = body, author
        return json_reply(201, {"data": {"id": made, "text": body["text"], "edit_history_tweet_ids": [made]}})

    def _is_repeated(self, author: str, text: str) -> bool:
        said = [post["text"] for key, post in self.posts.items() if self.authors[key] == author]
        return self._remembers > 0 and text in said[-self._remembers :]

    def _unsigned(self, request: Request) -> str | None:
        """Return what is wrong with a signature (RFC 5849 3.4; a body of JSON is not part of it)."""
        given = _authorization(request)
        account = self._accounts.get(given.get("oauth_token", ""))
        if set(given) != _OAUTH or account is None or given["oauth_consumer_key"] != account["consumer_key"]:
            return "OAuth: not the parameters of a known account"
        if given["oauth_nonce"] in self._nonces:
            return "OAuth: the nonce was used before"
        self._nonces.add(given["oauth_nonce"])
        signature = given.pop("oauth_signature")
        parameters = "&".join(f"{_escaped(name)}={_escaped(given[name])}" for name in sorted(given))
        base = "&".join(map(_escaped, ("POST", URL, parameters)))
        key = f"{_escaped(account['consumer_secret'])}&{_escaped(account['access_token_secret'])}"
        expected = base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()
        return None if signature == expected else "OAuth: not the signature"


def problem(status: int, detail: str, headers: dict[str, str] | None = None, title: str = "Forbidden") -> Reply:
    """Return how X refuses."""
    return json_reply(status, {"title": title, "detail": detail, "type": "about:blank", "status": status}, headers)


def _wrong(request: Request) -> str | None:
    if not request.headers.get("content-type", "").startswith("application/json"):
        return "the body is not JSON"
    body = json.loads(request.raw)
    if not isinstance(body, dict) or set(body) - _FIELDS:
        return "there are unknown fields"
    if not isinstance(body.get("text"), str) or not 0 < official_weight(body["text"]) <= LIMIT:
        return "text: empty, or longer than 280"
    if "reply" in body and not _ID.fullmatch(str(body["reply"].get("in_reply_to_tweet_id"))):
        return "reply.in_reply_to_tweet_id: not an id"
    return None


def _authorization(request: Request) -> dict[str, str]:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    pairs = re.findall(r'(\w+)="([^"]*)"', rest) if scheme == "OAuth" else []
    return {name: unquote(value) for name, value in pairs}


def _escaped(text: str) -> str:
    return quote(text, safe="~")

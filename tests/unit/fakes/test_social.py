"""The fake X, Mastodon and Bluesky refuse what the real ones refuse."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from tweepy import OAuth1UserHandler

from tests.fakes.vendors import bluesky, mastodon, x
from tests.fakes.vendors.http import Request

LONG = "word " * 100


def posted(body: Any, *, url: str = x.URL, keys: dict[str, str] = x.KEYS, **headers: str) -> Request:
    """Return a request to X, signed by the library that its clients use."""
    auth = OAuth1UserHandler(*keys.values()).apply_auth()
    prepared = requests.Request("POST", url, json=body, auth=auth, headers=headers).prepare()
    sent = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
    }
    assert isinstance(prepared.body, bytes)
    return Request("POST", prepared.path_url, sent, prepared.body)


@pytest.mark.parametrize(
    "body", [{"text": "Some requests fail."}, {"text": "x" * 280}, {"text": "https://acme.com/" + "x" * 300}]
)
def test_x_takes(body: Any) -> None:
    assert x.X().complaint(posted(body)) is None


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (posted({"text": ""}), "text"),
        (posted({}), "text"),
        (posted({"text": "x" * 281}), "text"),
        (posted({"text": "日" * 141}), "text"),
        (posted({"text": "a", "colour": "red"}), "unknown"),
        (posted({"text": "a", "reply": {"in_reply_to_tweet_id": "at://x"}}), "reply"),
        (posted({"text": "a"}, keys=x.KEYS | {"access_token_secret": "guessed"}), "OAuth: not the signature"),
        (posted({"text": "a"}, keys=x.KEYS | {"access_token": "another"}), "OAuth: not the parameters"),
        (posted({"text": "a"}, url=x.URL + "s"), "nothing at this address"),
        (Request("POST", x.POSTS, {"authorization": "Bearer t", "content-type": "application/json"}, b"{}"), "OAuth"),
    ],
)
def test_x_refuses(request_: Request, complaint: str) -> None:
    assert complaint in (x.X().complaint(request_) or "")


def test_x_takes_a_signature_once() -> None:
    vendor, request = x.X(), posted({"text": "a"})
    assert vendor.complaint(request) is None
    assert "nonce" in (vendor.complaint(request) or "")


def test_x_refuses_what_was_just_said_by_the_same_account() -> None:
    other = {name: value + "2" for name, value in x.KEYS.items()}
    vendor = x.X(x.KEYS, other, remembers=2)
    said = [vendor.accept(posted({"text": text})).status for text in ("a", "a", "b", "c", "a")]
    assert said == [201, 403, 201, 201, 201]
    assert vendor.accept(posted({"text": "a"}, keys=other)).status == 201


def toot(form: dict[str, str], token: str = mastodon.TOKEN, key: str = "k") -> Request:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-www-form-urlencoded"}
    return Request("POST", mastodon.STATUSES, headers | {"idempotency-key": key}, urlencode(form).encode())


def test_mastodon_takes_what_fits() -> None:
    for text in ("Some requests fail.", "x" * 500, "https://acme.com/" + "x" * 600, "@kim@" + "x" * 600 + ".example"):
        assert mastodon.Mastodon().complaint(toot({"status": text})) is None


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (toot({}), "character limit"),
        (toot({"status": "x" * 501}), "character limit"),
        (toot({"status": "a", "visibility": "secret"}), "visibility"),
        (toot({"status": "a", "colour": "red"}), "unknown"),
        (toot({"status": "a"}, token="guessed"), "token"),
    ],
)
def test_mastodon_refuses(request_: Request, complaint: str) -> None:
    assert complaint in (mastodon.Mastodon().complaint(request_) or "")


def test_mastodon_remembers_a_key_for_an_hour() -> None:
    vendor = mastodon.Mastodon()
    vendor.accept(toot({"status": "a"}))
    vendor.accept(toot({"status": "a"}))
    assert len(vendor.posts) == 1
    vendor.accept(toot({"status": "a"}, key="another"))
    assert len(vendor.posts) == 2
    vendor.now += mastodon.KEYS_KEPT
    vendor.accept(toot({"status": "a"}))
    assert len(vendor.posts) == 3
    assert vendor.accept(toot({"status": "b", "in_reply_to_id": "1"}, key="b")).status == 404


RECORD = {"$type": bluesky.COLLECTION, "text": "é https://acme.com", "createdAt": "2026-11-22T14:30:00.000Z"}
LINK = {"$type": "app.bsky.richtext.facet#link", "uri": "https://acme.com"}
REF = {"uri": f"at://{bluesky.DID}/{bluesky.COLLECTION}/3m6a2b3c4d5e6", "cid": bluesky.cid_of(RECORD)}


def put(record: Any = RECORD, *, authorized: bool = True, **changes: Any) -> Request:
    headers = {"content-type": "application/json"} | ({"authorization": "Bearer t"} if authorized else {})
    asked = {"repo": bluesky.HANDLE, "collection": bluesky.COLLECTION, "rkey": "3m6a2b3c4d5e6", "record": record}
    return Request("POST", bluesky.PUT, headers, json.dumps(asked | changes).encode())


def facet(start: int, end: int, feature: dict[str, str] = LINK) -> dict[str, Any]:
    return RECORD | {"facets": [{"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}]}


@pytest.mark.parametrize(
    "record", [RECORD, RECORD | {"text": "x" * 300}, facet(3, 19), RECORD | {"reply": {"root": REF, "parent": REF}}]
)
def test_bluesky_takes(record: Any) -> None:
    assert bluesky.Bluesky().complaint(put(record)) is None


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (put(RECORD | {"text": "x" * 301}), "too long"),
        (put(RECORD | {"text": ("e" + "\u0301" * 10) * 200}), "too long"),
        (put(RECORD | {"createdAt": "today"}), "not a post"),
        (put(RECORD | {"$type": "app.bsky.feed.like"}), "not a post"),
        (put(RECORD | {"reply": {"root": REF}}), "not a reply"),
        (put(RECORD | {"reply": {"root": REF, "parent": {"uri": "x", "cid": "y"}}}), "not a reply"),
        (put(facet(3, 20)), "beyond the text"),
        (put(facet(4, 19)), "another link"),
        (put(rkey="3m6a2b3c4d5e"), "not a TID"),
        (put(rkey="zm6a2b3c4d5e6"), "not a TID"),
        (put(colour="red"), "unknown"),
        (put(authorized=False), "AuthMissing"),
        (Request("POST", "/xrpc/com.atproto.repo.getRecord"), "NotSupported"),
    ],
)
def test_bluesky_refuses(request_: Request, complaint: str) -> None:
    assert complaint in (bluesky.Bluesky().complaint(request_) or "")


def test_bluesky_knows_its_own_sessions_only() -> None:
    vendor = bluesky.Bluesky()
    assert vendor.accept(put()).status == 400
    assert vendor.records == {}

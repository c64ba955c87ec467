"""A personal data server of Bluesky: https://docs.bsky.app/docs/api/com-atproto-repo-put-record and the lexicon app.bsky.feed.post."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from consumers.delivery.render.graphemes import clusters
from tests.fakes.vendors.http import Reply, Request, json_reply

HANDLE, PASSWORD, DID = "status.acme.example", "abcd-efgh-ijkl-mnop", "did:plc:z72i7hdynmk6r22z27h6tvur"
LOGIN, REFRESH, PUT = (
    f"/xrpc/com.atproto.{name}" for name in ("server.createSession", "server.refreshSession", "repo.putRecord")
)
COLLECTION = "app.bsky.feed.post"
_KEY = "the server's own secret, which nobody else knows"
_RECORD_KEY = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_CID = re.compile(r"bafyrei[a-z2-7]{52}")
_URI = re.compile(rf"at://did:plc:[a-z2-7]{{24}}/{COLLECTION}/{_RECORD_KEY.pattern}")
_INPUT = {"repo", "collection", "rkey", "record", "validate", "swapRecord", "swapCommit"}
_FIELDS = {"$type", "text", "createdAt", "facets", "reply", "langs", "embed", "labels", "tags"}
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Bluesky:
    """Keeps the records of one account: ``records`` by their keys, and ``writes``, how often one changed.

    ``lifetime`` is how long a session's access lasts. Tokens are as a server makes them, with the time that is.
    """

    def __init__(self, lifetime: timedelta = timedelta(hours=2)) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.logins = 0
        self.lifetime = lifetime
        self.password = PASSWORD
        self._valid: set[str] = set()

    def expire(self) -> None:
        """End all sessions."""
        self._valid.clear()

    def complaint(self, request: Request) -> str | None:
        if request.method != "POST" or request.path not in {LOGIN, REFRESH, PUT}:
            return "XRPCNotSupported"
        if request.path == REFRESH:
            return None
        if request.headers.get("content-type") != "application/json":
            return "InvalidRequest: wrong request encoding"
        if request.path == LOGIN:
            return None if set(request.json) == {"identifier", "password"} else "InvalidRequest: not a login"
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return "AuthMissing"
        return _wrong(request.json)

    def invalid(self, request: Request, complaint: str) -> Reply:
        name, _, words = complaint.partition(": ")
        return refusal({"AuthMissing": 401, "XRPCNotSupported": 404}.get(name, 400), name, words)

    def accept(self, request: Request) -> Reply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.path == LOGIN:
            return self._login(request)
        if not self._knows(token, "com.atproto.refresh" if request.path == REFRESH else "com.atproto.appPass"):
            return refusal(400, "ExpiredToken", "Token has expired")
        return self._session(request) if request.path == REFRESH else self._put(request.json)

    def _login(self, request: Request) -> Reply:
        asked = request.json
        if (asked["identifier"].lower(), asked["password"]) != (HANDLE, self.password):
            return refusal(401, "AuthenticationRequired", "Invalid identifier or password")
        self.logins += 1
        return self._session(request)

    def _session(self, request: Request) -> Reply:
        tokens = {
            "accessJwt": self._token("com.atproto.appPass", self.lifetime),
            "refreshJwt": self._token("com.atproto.refresh", timedelta(days=60)),
        }
        service = {
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": f"http://{request.headers['host']}",
        }
        document = {"@context": ["https://www.w3.org/ns/did/v1"], "id": DID, "service": [service]}
        return json_reply(200, {"did": DID, "handle": HANDLE, "active": True, "didDoc": document, **tokens})

    def _token(self, scope: str, lifetime: timedelta) -> str:
        now = datetime.now(UTC)
        said = {"scope": scope, "sub": DID, "iat": now, "exp": now + lifetime, "jti": str(len(self._valid))}
        token = jwt.encode(said, _KEY, "HS256")
        self._valid.add(token)
        return token

    def _knows(self, token: str, scope: str) -> bool:
        try:
            return token in self._valid and jwt.decode(token, _KEY, ["HS256"])["scope"] == scope
        except jwt.InvalidTokenError:
            return False

    def _put(self, asked: dict[str, Any]) -> Reply:
        if asked["repo"] not in {HANDLE, DID}:
            return refusal(401, "AuthenticationRequired", "not your repository")
        key, record = asked["rkey"], asked["record"]
        if self.records.get(key) != record:
            self.writes += 1
        self.records[key] = record
        uri = f"at://{DID}/{COLLECTION}/{key}"
        return json_reply(200, {"uri": uri, "cid": cid_of(record), "validationStatus": "valid"})


def refusal(status: int, error: str, words: str = "", headers: dict[str, str] | None = None) -> Reply:
    """Return how a server refuses."""
    return json_reply(status, {"error": error, "message": words}, headers)


def cid_of(record: dict[str, Any]) -> str:
    """Return an id of a record's content in the form of the real ones (CIDv1, dag-cbor, sha2-256), made of its JSON."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
    return "b" + base64.b32encode(b"\x01\x71\x12\x20" + digest).decode().lower().rstrip("=")


def _wrong(asked: dict[str, Any]) -> str | None:
    """Return what is wrong with a request to write a post."""
    if set(asked) - _INPUT or asked.get("collection") != COLLECTION:
        return "InvalidRequest: unknown fields, or another collection"
    if not _RECORD_KEY.fullmatch(asked.get("rkey", "")):
        return "InvalidRequest: the key is not a TID"
    record = asked["record"]
    if set(record) - _FIELDS or record.get("$type") != COLLECTION or not _DATETIME.fullmatch(record["createdAt"]):
        return "InvalidRequest: not a post"
    if clusters(record["text"]) > 300 or len(record["text"].encode()) > 3000:
        return "InvalidRequest: the text is too long"
    if not all(_is_ref(record["reply"].get(name)) for name in ("root", "parent") if "reply" in record):
        return "InvalidRequest: not a reply"
    return _wrong_facets(record.get("facets", []), record["text"].encode())


def _is_ref(ref: Any) -> bool:
    return isinstance(ref, dict) and bool(_URI.fullmatch(ref.get("uri", "")) and _CID.fullmatch(ref.get("cid", "")))


def _wrong_facets(facets: list[dict[str, Any]], text: bytes) -> str | None:
    for facet in facets:
        start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        for feature in facet["features"]:
            if feature["$type"] != "app.bsky.richtext.facet#link" or not re.match(r"https?://", feature["uri"]):
                return "InvalidRequest: not a link"
        if not 0 <= start < end <= len(text):
            return "InvalidRequest: a facet beyond the text"
        if text[start:end].decode(errors="replace") != facet["features"][0]["uri"]:
            return "InvalidRequest: another link than the text shows"  # Bluesky takes it; we never mean it
    return None

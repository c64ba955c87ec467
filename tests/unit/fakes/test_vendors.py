"""The fake vendors are as strict as the real ones, fail the test that asks for nonsense, and misbehave as they are told."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from python_http_client.exceptions import BadRequestsError, UnauthorizedError  # type: ignore[import-untyped] # it has no types
from sendgrid import SendGridAPIClient

from tests.fakes.vendors import discord, sendgrid, twilio
from tests.fakes.vendors.cut import CUTS, METHODS, Cut, cut
from tests.fakes.vendors.http import Hang, Reply, Request, Reset, Truncate
from tests.fakes.vendors.openapi import DOCUMENTS, Document, Patch
from tests.fakes.vendors.sendgrid import KEY, MAIL, SEND, SendGrid, mail_request
from tests.fakes.vendors.server import VendorServer

PATCHED: dict[str, tuple[Patch, ...]] = {
    "discord": discord.PATCHES,
    "sendgrid": sendgrid.PATCHES,
    "sendgrid_activity": (),
    "twilio": twilio.PATCHES,
}
"""The documents that are used, with their patches; a new one is a line."""


@pytest.fixture
def vendor() -> Iterator[VendorServer[SendGrid]]:
    with VendorServer(SendGrid()) as running:
        yield running


def sdk(vendor: VendorServer[SendGrid], key: str = KEY) -> Any:
    return SendGridAPIClient(key, host=vendor.url).client


def post(vendor: VendorServer[Any], document: Any, key: str = KEY) -> httpx.Response:
    request = mail_request(document, key)
    return httpx.post(vendor.url + SEND, headers=request.headers, content=request.raw, timeout=5, trust_env=False)


# --- documents and patches ---


def test_every_document_was_cut_from_a_vendors_own() -> None:
    assert sorted(path.stem for path in DOCUMENTS.glob("*.json")) == sorted(made.name for made in CUTS)


@pytest.mark.parametrize("made", CUTS, ids=lambda made: made.name)
def test_a_document_knows_what_it_was_cut_for_and_no_more(made: Cut) -> None:
    document = Document(made.name)
    assert document.complaint(Request("GET", "/elsewhere")) is not None
    content = json.loads((DOCUMENTS / f"{made.name}.json").read_text("utf-8"))
    assert content["info"]["x-licence"] == made.licence
    assert {(path, method) for path, item in content["paths"].items() for method in item if method in METHODS} == set(
        made.operations
    )


def test_a_cut_leaves_prose_out_and_names_in() -> None:
    schema = {
        "properties": {
            "description": {"type": "string", "description": "text", "x-y": 1},
            "tags": {"$ref": "#/components/schemas/Tags"},
        }
    }
    whole = {
        "openapi": "3.1.0", "info": {"title": "T"}, "servers": [{"url": "https://t.example"}],
        "paths": {
            "/a": {"post": {"summary": "s", "requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {"200": {"description": "long"}}}, "get": {}},
            "/b": {"get": {}},
        },
        "components": {"schemas": {"Tags": {"items": {"$ref": "#/components/schemas/Tag"}}, "Tag": {"type": "string"}, "Other": {}}},
    }  # fmt: skip
    made = cut(whole, Cut("t", "t.json", "t.example", "MIT", (("/a", "post"),)))
    [(path, item)] = made["paths"].items()
    assert (path, list(item)) == ("/a", ["post"])
    kept = item["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert kept == {"description": {"type": "string"}, "tags": {"$ref": "#/components/schemas/Tags"}}
    assert set(made["components"]["schemas"]) == {"Tags", "Tag"}


@pytest.mark.parametrize("name", PATCHED)
def test_every_patch_is_still_needed(name: str) -> None:
    patches = PATCHED[name]
    whole = Document(name, patches)
    for patch in patches:
        without = Document(name, [one for one in patches if one is not patch])
        assert (whole.complaint(patch.proof) is None) is not patch.refused, patch.reason
        assert (without.complaint(patch.proof) is None) is patch.refused, f"mended meanwhile: {patch.reason}"


def test_a_patch_of_nothing_is_noticed() -> None:
    with pytest.raises(AssertionError, match="nothing to patch"):
        Document("sendgrid", [Patch("/paths/x", None, "no such path", Request("GET", "/"))])


# --- SendGrid ---


def test_the_official_sdk_is_accepted(vendor: VendorServer[SendGrid]) -> None:
    people = [{"to": [{"email": f"kim{n}@customer.example"}], "custom_args": {"n": str(n)}} for n in range(1000)]
    answer = sdk(vendor).mail.send.post(request_body=MAIL | {"personalizations": people}, timeout=10)
    assert (answer.status_code, answer.headers["X-Message-Id"]) == (202, "message-1")
    assert vendor.vendor.mails == people
    assert vendor.accepted == vendor.requests


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": None},
        {"from": {"email": 5}},
        {"subject": ""},
        {"content": []},
        {"content": [{"type": "text/plain"}]},
        {"personalizations": []},
        {"personalizations": [{"to": []}]},
        {"personalizations": [{"to": [{"email": f"kim{n}@customer.example"}]} for n in range(1001)]},
        {
            "personalizations": [
                {"to": [{"email": "kim@customer.example"}]},
                {"to": [{"email": "Kim@customer.example"}]},
            ]
        },
        {"categories": [str(n) for n in range(11)]},
        {"content": [{"type": "text/html", "value": "<p>x"}, {"type": "text/plain", "value": "x"}]},
        {"headers": {"Reply-To": "ops@acme.example"}},
        {"headers": {"List-Id": "Stra\u00dfe"}},
        {"custom_args": {"who": "kim@customer.example"}},
        {"personalizations": [{"to": [{"email": "kim@customer.example"}], "headers": {"Subject": "x"}}]},
        {"personalizations": [{"to": [{"email": "kim@customer.example"}], "substitutions": {"-x-": "y" * 10_000}}]},
    ],
)
def test_what_sendgrid_refuses_is_refused_and_fails_the_test(wrong: dict[str, Any]) -> None:
    mail = {name: value for name, value in (MAIL | wrong).items() if value is not None}
    with pytest.raises(AssertionError, match="asked what it refuses"):
        _ask_nonsense(mail)


def _ask_nonsense(mail: dict[str, Any]) -> None:
    with VendorServer(SendGrid()) as vendor:
        with pytest.raises(BadRequestsError):
            sdk(vendor).mail.send.post(request_body=mail, timeout=10)
        assert vendor.accepted == []
        assert vendor.vendor.mails == []


def test_who_is_not_known_is_refused(vendor: VendorServer[SendGrid]) -> None:
    with pytest.raises(UnauthorizedError):
        sdk(vendor, "SG.another").mail.send.post(request_body=MAIL, timeout=10)
    assert len(vendor.forgive()) == 1


def test_paths_that_are_not_there_are_refused(vendor: VendorServer[SendGrid]) -> None:
    with pytest.raises(BadRequestsError):
        sdk(vendor).mail.sent.post(request_body=MAIL, timeout=10)
    assert "Path not found" in vendor.forgive()[0]


# --- misbehaviour ---


def test_what_is_accepted_counts_whatever_is_answered(vendor: VendorServer[SendGrid]) -> None:
    for how in (Reply(500, accepts=True), Reply(500), Reply(429, {"Retry-After": "7"}), None):
        vendor.misbehave(how)
    answers = [post(vendor, MAIL) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [500, 500, 429, 202, 202]
    assert answers[2].headers["retry-after"] == "7"
    assert (len(vendor.requests), len(vendor.wait_for(3)), len(vendor.vendor.mails)) == (5, 3, 3)


def test_misbehaving_for_good_and_no_more(vendor: VendorServer[SendGrid]) -> None:
    vendor.misbehave(Reply(503), times=None)
    assert [post(vendor, MAIL).status_code for _ in range(3)] == [503, 503, 503]
    vendor.misbehave(None, times=None)
    assert post(vendor, MAIL).status_code == 202


def test_silence_lasts_until_the_other_side_gives_up(vendor: VendorServer[SendGrid]) -> None:
    vendor.misbehave(Hang())
    request = mail_request(MAIL)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(vendor.url + SEND, headers=request.headers, content=request.raw, timeout=0.3, trust_env=False)
    assert len(vendor.accepted) == 1


def raw(vendor: VendorServer[SendGrid]) -> tuple[bytes, bool]:
    """Return the bytes of an answer, and whether the connection was reset rather than closed."""
    request = mail_request(MAIL)
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    head = (
        f"POST {SEND} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {len(request.raw)}\r\n\r\n"
    )
    got = b""
    with socket.create_connection(("127.0.0.1", vendor.port), 5) as connection:
        connection.sendall(head.encode() + request.raw)
        try:
            while part := connection.recv(65536):
                got += part
        except ConnectionResetError:
            return got, True
    return got, False


def test_connections_break_where_they_are_told_to(vendor: VendorServer[SendGrid]) -> None:
    whole, was_reset = raw(vendor)
    assert (whole.startswith(b"HTTP/1.1 202 "), was_reset) == (True, False)
    vendor.misbehave(Reset(after=20, hard=False))
    assert raw(vendor) == (whole[:20], False)
    vendor.misbehave(Reset())
    assert raw(vendor) == (b"", True)
    vendor.misbehave(Reset(after=5, accepts=False))
    assert raw(vendor)[1], "what was sent before a reset may be lost on the way"
    assert len(vendor.accepted) == 3


def test_a_body_is_cut() -> None:
    class Talkative(SendGrid):
        def accept(self, request: Request) -> Reply:
            return Reply(200, {}, b"0123456789")

    with VendorServer(Talkative()) as talkative:
        talkative.misbehave(Truncate())
        with pytest.raises(httpx.RemoteProtocolError):
            post(talkative, MAIL)
        assert post(talkative, MAIL).text == "0123456789"


def test_connections_are_refused_for_a_while(vendor: VendorServer[SendGrid]) -> None:
    with vendor.refusing(), pytest.raises(httpx.ConnectError):
        post(vendor, MAIL)
    assert post(vendor, MAIL).status_code == 202
    assert len(vendor.requests) == 1

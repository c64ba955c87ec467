"""One request of an SDK over requests: where it goes, what is kept of the answer, and what certainly did not leave."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from consumers.delivery.net.once import OneRequest
from consumers.delivery.net.post import ANSWER_LIMIT, Answer
from consumers.delivery.outcome import InDoubt, Retry
from tests.fakes.vendors.http import Reply, Request, Reset, Truncate
from tests.fakes.vendors.server import VendorServer
from tests.fakes.webhook import FakeWebhookReceiver
from tests.unit.delivery.channels.conftest import Tls


class Anything:
    """Takes everything."""

    def complaint(self, _request: Request) -> str | None:
        return None

    def invalid(self, _request: Request, _complaint: str) -> Reply:
        raise NotImplementedError

    def __init__(self) -> None:
        self.answer = Reply(200, {"X-Said": "yes"}, b"taken")

    def accept(self, _request: Request) -> Reply:
        return self.answer


@pytest.fixture
def vendor() -> Iterator[VendorServer[Anything]]:
    with VendorServer(Anything()) as server:
        yield server


def test_a_request_goes_to_another_host_and_its_answer_is_kept(vendor: VendorServer[Anything]) -> None:
    answer = OneRequest(5, vendor.url).run(lambda session: session.post("https://api.vendor.example/a?b=c", data=b"d"))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["x-said"], answer.body) == (200, "yes", b"taken")
    assert [(request.target, request.raw) for request in vendor.requests] == [("/a?b=c", b"d")]


def test_what_the_sdk_makes_of_an_answer_does_not_matter(vendor: VendorServer[Anything]) -> None:
    def call(session: requests.Session) -> None:
        session.post(vendor.url).json()

    answer = OneRequest(5).run(call)
    assert isinstance(answer, Answer)
    assert answer.body == b"taken"


def test_what_the_sdk_raises_before_it_asks_is_raised() -> None:
    def call(_session: requests.Session) -> None:
        raise ValueError("no such argument")

    with pytest.raises(ValueError, match="no such argument"):
        OneRequest(5).run(call)


def test_an_sdk_that_repeats_is_stopped(vendor: VendorServer[Anything]) -> None:
    def call(session: requests.Session) -> None:
        for _ in range(3):
            session.post(vendor.url)

    assert isinstance(OneRequest(5).run(call), Answer)
    assert len(vendor.requests) == 1


def test_credentials_of_the_environment_are_not_used(
    vendor: VendorServer[Anything], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    OneRequest(5).run(lambda session: session.post(vendor.url, headers={"Authorization": "Bearer ours"}))
    assert vendor.requests[0].headers["authorization"] == "Bearer ours"


@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_that_breaks_off_is_one_if_it_refuses(vendor: VendorServer[Anything], status: int) -> None:
    vendor.vendor.answer = Reply(status, {}, b"x" * 100)
    vendor.misbehave(Truncate())
    answer = OneRequest(5).run(lambda session: session.post(vendor.url))
    if status == 200:
        assert answer == InDoubt("the answer broke off")
    else:
        assert isinstance(answer, Answer)
        assert answer.status == 403


def test_no_more_is_read_than_of_any_answer(vendor: VendorServer[Anything]) -> None:
    vendor.misbehave(Reply(400, {}, b"x" * (ANSWER_LIMIT + 100_000)))
    answer = OneRequest(5).run(lambda session: session.post(vendor.url))
    assert isinstance(answer, Answer)
    assert len(answer.body) == ANSWER_LIMIT


def test_what_did_not_leave_is_known(vendor: VendorServer[Anything]) -> None:
    with vendor.refusing():
        assert OneRequest(5).run(lambda session: session.post(vendor.url)) == Retry("no connection")
    vendor.misbehave(Reset())
    assert isinstance(OneRequest(5).run(lambda session: session.post(vendor.url)), InDoubt)


def test_a_server_whose_certificate_is_not_trusted_was_told_nothing(tls: Tls) -> None:
    with FakeWebhookReceiver(tls=tls.server) as impostor:
        ended = OneRequest(5).run(lambda session: session.post(f"https://127.0.0.1:{impostor.port}"))
    assert ended == Retry("the certificate is not trusted")

"""What becomes of a registry that is down, busy, locked, or no registry at all."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from schemas import codec
from streams.log.port import LogUnavailableError
from streams.log.registry import RegistryRefusedError, SchemaRegistry
from tests.fakes.registry import FakeRegistry
from tests.parts.processes import free_port

SHORT = timedelta(seconds=0.3)
LONG = timedelta(seconds=30)
PASSWORD = "p/w:é@1"
QUOTED = "p%2Fw%3A%C3%A9%401"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


def with_login(url: str, login: str) -> str:
    return url.replace("http://", f"http://{login}@")


def test_nobody_answers() -> None:
    with pytest.raises(LogUnavailableError, match=r"the schema registry http://127.0.0.1:\d+ does not answer"):
        SchemaRegistry(f"http://127.0.0.1:{free_port()}", timeout=SHORT).register(codec.schemas())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_is_asked_again(registry: FakeRegistry, status: int) -> None:
    registry.answer(status, times=3)
    assert len(SchemaRegistry(registry.url, timeout=LONG).register(codec.schemas())) == len(codec.schemas())


def test_a_registry_that_stays_busy_is_unavailable(registry: FakeRegistry) -> None:
    registry.answer(503, times=1000)
    with pytest.raises(LogUnavailableError, match="503"):
        SchemaRegistry(registry.url, timeout=SHORT).register(codec.schemas())


def test_where_all_is_known_nothing_is_written(registry: FakeRegistry) -> None:
    ours = SchemaRegistry(f"{registry.url}/", timeout=LONG)
    ours.register(codec.schemas())
    registry.requests.clear()
    ours.register(codec.schemas())
    names = [f"/subjects/tocsin.{schema.type.__name__}" for schema in codec.schemas()]
    assert registry.requests == [("POST", name) for name in names]


def test_name_and_password_of_the_url_are_sent_and_never_shown(
    registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    registry.login = ("tocsin@fleet", PASSWORD)
    ours = SchemaRegistry(with_login(registry.url, f"tocsin%40fleet:{QUOTED}"), timeout=LONG)
    assert len(ours.register(codec.schemas())) == len(codec.schemas())
    registry.login = ("tocsin@fleet", "changed")
    with pytest.raises(RegistryRefusedError, match="401 Unauthorized") as caught:
        ours.register(codec.schemas())
    said = f"{caplog.text}{caught.value!r}{ours!r}{vars(ours)!r}"
    assert caplog.text
    assert not any(secret in said for secret in (PASSWORD, QUOTED, "fleet"))


def test_a_password_does_not_follow_a_redirect(registry: FakeRegistry) -> None:
    with FakeRegistry() as other:
        registry.answer(307, Location=other.url)
        ours = SchemaRegistry(with_login(registry.url, "name:word"), timeout=LONG)
        with pytest.raises(RegistryRefusedError, match="307"):
            ours.register(codec.schemas())
        assert other.requests == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id": "seven"}', b"\xff"])
def test_what_answers_is_no_registry(registry: FakeRegistry, body: bytes) -> None:
    registry.answer(200, body)
    with pytest.raises(RegistryRefusedError, match="is no schema registry"):
        SchemaRegistry(registry.url, timeout=LONG).register(codec.schemas())
    registry.answer(404, body)
    with pytest.raises(RegistryRefusedError, match="404"):
        SchemaRegistry(registry.url, timeout=LONG).register(codec.schemas())


@pytest.mark.parametrize("url", ["", "registry", "ftp://u:word@registry", "http://", "http://u:word@h:x"])
def test_a_url_that_is_none_is_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match="the schema registry's URL") as caught:
        SchemaRegistry(url)
    assert "word" not in str(caught.value)

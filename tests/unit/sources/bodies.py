"""Bodies for the sources under test, and what holds for whatever they make of one."""

import msgspec
import pytest

from producers.sources.registry import KINDS
from producers.sources.source import Parse, Parsed, RawRequest

NOON = 1_772_366_400_000_000
"""When every body of these tests arrives: 2026-03-01T12:00:00Z."""

PARSERS: dict[str, Parse] = {kind.name: kind.parse for kind in KINDS} | {
    f"{kind.name}/{path}": parse for kind in KINDS for path, parse in kind.endpoints.items()
}
every_parser = pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)


def request(body: bytes) -> RawRequest:
    return RawRequest(body, {"content-type": "application/json"}, "application/json", NOON)


def as_json(parsed: Parsed) -> object:
    problems = [{"reason": problem.reason, "raw": problem.raw.decode()} for problem in parsed.problems]
    return msgspec.to_builtins(msgspec.structs.replace(parsed, problems=[])) | {"problems": problems}


def check(parsed: Parsed, body: bytes) -> None:
    """Hold ``parsed`` against its own types, all the way down, and against Avro's idea of a string."""
    assert msgspec.convert(msgspec.to_builtins(parsed), Parsed) == parsed
    msgspec.json.encode(parsed).decode()  # fails on a lone surrogate
    assert parsed.alerts or parsed.problems or parsed.ignored, "a body came to nothing at all"
    for alert in parsed.alerts:
        assert 0 < len(alert.fingerprint) <= 255
        assert alert.ends_at is None or alert.status == "resolved"
        assert alert.expires_at is None or alert.status == "firing"
        assert alert.url == "" or alert.url.startswith(("http://", "https://"))
    for problem in parsed.problems:
        assert problem.reason
        assert problem.raw or not body

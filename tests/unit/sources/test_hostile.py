"""Bodies that nobody sends by accident, and some that monitors do send."""

import json

import pytest

from producers.sources.body import UnreadableError, read_json
from producers.sources.source import Parse, Parsed
from tests.unit.sources.bodies import PARSERS, check, every_parser, request

MEBI = 1024 * 1024


def read(parse: Parse, body: bytes) -> Parsed:
    parsed = parse(request(body))
    check(parsed, body)
    return parsed


@every_parser
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"[" * 100_000,
        b'{"alerts":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"alerts": [{"labels": NaN}]}',
        b'[{"labels": {"a": Infinity}}]',
        b"1e999",
        b"9" * 10_000,
        b"\x00" * 1_000,
        b"\xff\xfe{\x00}\x00",
        b"check_id=1&current_state=DOWN",
        b'{"alerts": [{"status": "firing"',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_the_whole_body_is_kept(parse: Parse, body: bytes) -> None:
    parsed = read(parse, body)
    assert [problem.raw for problem in parsed.problems] == [body]
    assert not parsed.alerts


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\xff"', "\ufffd"),
        (b'"\\ud800 and \\ud83d\\ude00"', "? and \U0001f600"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'"line\nline\ttab\x00nul"', "line\nline\ttab\x00nul"),
        (b'"\\u0000"', "\x00"),
        (b"[18446744073709551616]", [18446744073709551616]),
        (b'{"\\ud800": "\n"}', {"?": "\n"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_what_templates_and_encodings_do_to_json_is_forgiven(body: bytes, value: object) -> None:
    assert read_json(body) == value


def test_why_a_body_is_unreadable_is_told_without_quoting_it() -> None:
    with pytest.raises(UnreadableError, match=r"not JSON: .* at line 1 column 12") as error:
        read_json(b'{"secret": hunter2}')
    assert "hunter2" not in str(error.value)


@every_parser
@pytest.mark.parametrize("member", [b"0", b"{}", b'"x"', b"[]"])
def test_five_mebibytes_of_rubbish_are_one_problem(parse: Parse, member: bytes) -> None:
    members = b"[" + b",".join([member] * (5 * MEBI // (len(member) + 1))) + b"]"
    for body in (members, b'{"alerts": ' + members + b"}"):
        assert [problem.raw for problem in read(parse, body).problems] == [body]


@every_parser
def test_five_mebibytes_in_one_string(parse: Parse) -> None:
    long = "x" * (5 * MEBI)
    alert = {"labels": {"alertname": "A", "long": long}, "status": "firing", "id": "1", "annotations": {"long": long}}
    read(parse, json.dumps({"alerts": [alert]}).encode())
    read(parse, json.dumps([alert]).encode())
    read(parse, json.dumps({"check_id": long, "current_state": "DOWN", "check_name": long, "tags": [long]}).encode())
    payload = {"summary": long, "source": long, "severity": "info", "custom_details": {long: long}}
    read(parse, json.dumps({"event_action": "trigger", "payload": payload}).encode())


@pytest.mark.parametrize("name", ["alertmanager", "grafana", "generic", "alertmanager/api/v2/alerts"])
def test_what_is_too_long_is_cut_and_told(name: str) -> None:
    labels = {"long": "x" * 20_000, "n" * 2_000: "y"} | {f"label{number:03}": "v" for number in range(300)}
    alerts = [{"id": "1", "status": "firing", "labels": labels, "annotations": {"summary": "z" * 20_000}}]
    parsed = read(PARSERS[name], json.dumps(alerts if "/" in name else {"alerts": alerts}).encode())
    (alert,) = parsed.alerts
    assert len(alert.labels) == 256
    assert len(alert.labels["long"]) == 16_384
    assert len(alert.annotations["summary"]) == 16_384
    assert len(alert.title) <= 1_024
    told = " ".join(parsed.warnings)
    assert "46 of 302 members" in told
    assert "3616 of 20000 characters" in told
    assert "a name of" in told


def test_warnings_do_not_grow_without_end() -> None:
    alerts = [{"labels": {"a": str(number)}, "annotations": "none", "status": "firing"} for number in range(500)]
    parsed = read(PARSERS["alertmanager"], json.dumps({"alerts": alerts}).encode())
    assert len(parsed.alerts) == 500
    assert len(parsed.warnings) == 101
    assert parsed.warnings[-1] == "and 400 more warnings"


def test_a_hundred_bad_parts_are_kept_one_by_one_and_more_as_a_whole() -> None:
    good = {"labels": {"a": "b"}, "status": "firing"}
    few, many = ({"alerts": [good, *range(count)]} for count in (100, 101))
    assert len(read(PARSERS["alertmanager"], json.dumps(few).encode()).problems) == 100
    parsed = read(PARSERS["alertmanager"], json.dumps(many).encode())
    assert [problem.raw for problem in parsed.problems] == [json.dumps(many).encode()]
    assert len(parsed.alerts) == 1


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//x.example",
        "?orgId=1",
        "ftp://x.example",
        "https://x.example/a b",
        "https://x\n.example",
        7,
        None,
    ],
)
def test_only_web_addresses_become_links(url: object) -> None:
    (alert,) = read(PARSERS["generic"], json.dumps({"id": "1", "url": url}).encode()).alerts
    assert alert.url == ""


def test_what_a_pingdom_check_is_made_of_stays_out() -> None:
    params = {"hostname": "www.shop.example", "full_url": "https://u:hunter2@www.shop.example", "header": "hunter2"}
    body = {"check_id": 1, "current_state": "DOWN", "check_params": params}
    (alert,) = read(PARSERS["pingdom"], json.dumps(body).encode()).alerts
    assert alert.labels["hostname"] == "www.shop.example"
    assert "hunter2" not in repr(alert)


@pytest.mark.parametrize(
    "field",
    ["title", "id", "status", "severity", "labels", "annotations", "starts_at", "ends_at", "url", "test", "component"],
)
@pytest.mark.parametrize("value", [{}, {"a": {"b": []}}, [], [1], 7, -1.5, True, None, "", "x"], ids=repr)
def test_any_type_at_each_field_of_a_generic_alert(field: str, value: object) -> None:
    body = {"id": "1", "title": "T", "status": "firing", "labels": {"a": "b"}}
    parsed = read(PARSERS["generic"], json.dumps(body | {field: value}).encode())
    assert len(parsed.alerts) + len(parsed.problems) == 1

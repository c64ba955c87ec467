"""Where a record comes from, as text and as a header."""

import pytest

from schemas.codec import MalformedRecordError
from streams.log.message import ORIGIN, headers_of, key_of, record_of_message, value_of
from streams.log.origin import Origin, emitted, imported, parse, source
from tests.builders.fold_world import alert

PLACE = ("tocsin.alerts", 3)


def test_an_emission_is_read_as_it_was_written() -> None:
    found = parse(emitted("episodes", PLACE, 17, 2, 15))
    assert found == Origin("episodes/tocsin.alerts/3", 17, 2, 15)
    assert found.source == source("episodes", PLACE)
    assert not found.imported


def test_an_import_is_known_as_one() -> None:
    found = parse(imported(PLACE, 17))
    assert found == Origin("import/tocsin.alerts/3", 17, 0)
    assert found.imported


@pytest.mark.parametrize(
    "text",
    ["", "x", "x@1", "x@.1", "x@1.", "@1.2", "x@1.2+", "x@1.2+3/", "x@-1.2", "x@1.2.3", "x@1.2 ", "x@٣.1", "x@1e3.1"],
)
def test_what_is_no_origin_is_none(text: str) -> None:
    assert parse(text) is None


def test_an_origin_without_a_batch_knows_of_nothing_before_it() -> None:
    assert parse("a/b@c/0@7.1") == Origin("a/b@c/0", 7, 1, 0)


def test_an_emission_may_say_how_many_there_are() -> None:
    assert parse(emitted("planner", PLACE, 17, 2, 15, 3)) == Origin("planner/tocsin.alerts/3", 17, 2, 15, 3)


@pytest.mark.parametrize("origin", ["", emitted("episodes", PLACE, 17, 2, 15)])
def test_a_record_travels_with_its_origin(origin: str) -> None:
    made = alert(1)
    record = type(made)(made.topic, made.key, made.id, made.type, made.recorded_at, made.fingerprint, made.body, origin)
    headers = headers_of(record)
    assert (ORIGIN in dict(headers)) is bool(origin)
    assert record_of_message(record.topic, key_of(record), headers, value_of(record)) == record


def test_an_origin_that_is_no_text_is_a_strangers() -> None:
    record = alert(1)
    headers = [*headers_of(record), (ORIGIN, b"\xff")]
    with pytest.raises(MalformedRecordError):
        record_of_message(record.topic, key_of(record), headers, value_of(record))

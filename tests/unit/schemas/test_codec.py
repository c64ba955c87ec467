"""Events to bytes and back for every value, and clear errors for everything that is not one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import MalformedRecordError, UnknownSchemaError, UnwritableEventError
from schemas.events import EVENT_TYPES, ComponentRemoved, Event, EventData, PromiseReminded
from tests.strategies.events import events
from tests.unit.schemas import kept

KNOWN = [schema.fingerprint for schema in codec.schemas()]
RECORDED = [codec.unframe(example.recorded) for example in kept.examples()]


@pytest.mark.parametrize("kind", EVENT_TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_an_event_survives_the_round_trip(kind: type[EventData], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    message = codec.frame(*codec.encode(event))
    assert codec.decode(*codec.unframe(message)) == event


@pytest.mark.parametrize("kind", EVENT_TYPES)
@settings(max_examples=5)
@given(data=st.data())
def test_the_audit_log_can_show_it(kind: type[EventData], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    assert codec.data_to_json(event).keys() == set(kind.__struct_fields__)
    assert codec.type_named(event.type) is kind


@pytest.mark.parametrize("text", ["\ud800", "one half of a pair: \udcff", "\udc00\ud800"])
def test_half_a_surrogate_pair_is_refused_by_name(text: str) -> None:
    # The intake replaces them; whatever else hands one over is told what is wrong.
    with pytest.raises(UnwritableEventError, match="ComponentRemoved"):
        codec.encode(Event("00", "acme", 1, 2, "config", None, None, drill=False, data=ComponentRemoved(text)))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_that_is_no_long_is_refused_by_name(number: int) -> None:
    with pytest.raises(UnwritableEventError, match="PromiseReminded"):
        codec.encode(Event("00", "acme", 1, 2, "tocsin", None, None, drill=False, data=PromiseReminded("0", number)))


@given(st.binary(max_size=200))
def test_a_message_that_is_none_is_malformed(message: bytes) -> None:
    try:
        fingerprint, body = codec.unframe(message)
    except MalformedRecordError:
        assert not message.startswith(codec.MARKER) or len(message) < 10
    else:
        assert codec.frame(fingerprint, body) == message


@given(st.binary(min_size=8, max_size=8).filter(lambda found: found not in KNOWN), st.binary(max_size=50))
def test_an_unknown_schema_is_said_to_be_unknown(fingerprint: bytes, body: bytes) -> None:
    with pytest.raises(UnknownSchemaError, match=fingerprint.hex()):
        codec.decode(fingerprint, body)


@settings(max_examples=300)
@given(st.sampled_from(KNOWN), st.binary(max_size=400))
def test_hostile_bytes_raise_the_two_errors_only(fingerprint: bytes, body: bytes) -> None:
    try:
        event = codec.decode(fingerprint, body)
    except MalformedRecordError:
        return
    assert type(event.data) is codec.schema_of(fingerprint).type


@settings(max_examples=300)
@given(st.sampled_from(RECORDED), st.data())
def test_damaged_bytes_raise_the_two_errors_only(recorded: tuple[bytes, bytes], data: st.DataObject) -> None:
    fingerprint, body = recorded
    at = data.draw(st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.binary(max_size=12)) + body[at + data.draw(st.integers(0, 12)) :]
    try:
        event = codec.decode(fingerprint, damaged)
    except MalformedRecordError:
        return
    assert codec.decode(*codec.encode(event)) == event, "what is read is a valid event, if another one"


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: codec.schema_of(one[0]).type.__name__)
def test_a_record_with_a_tail_or_without_its_end_is_malformed(recorded: tuple[bytes, bytes]) -> None:
    fingerprint, body = recorded
    for wrong in (body + b"\0", body[:-1], b""):
        with pytest.raises(MalformedRecordError):
            codec.decode(fingerprint, wrong)

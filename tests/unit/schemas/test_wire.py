"""Both framings carry the same record, and each reads what the other wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import MalformedRecordError, UnknownSchemaError
from schemas.wire import SINGLE_OBJECT, Framing, RegistryFraming, Writer, as_single_object
from tests.unit.schemas import kept

NUMBERS = {schema.fingerprint: 7 + 1000 * at for at, schema in enumerate(codec.schemas())}
NEWER = Writer(b"newer ve", "ComponentRemoved")
EXAMPLES = list(kept.examples())


def resolve(number: int) -> Writer:
    if number == 5:
        return NEWER
    raise UnknownSchemaError(f"the registry has no schema {number}")


@pytest.fixture
def registry() -> Framing:
    return RegistryFraming(NUMBERS, resolve)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.name}.{example.version}")
def test_the_record_is_the_same_and_both_read_both(registry: Framing, example: kept.Example) -> None:
    fingerprint, body = codec.unframe(example.recorded)
    framed = registry.frame(fingerprint, body)
    assert framed == b"\0" + NUMBERS[fingerprint].to_bytes(4, "big") + body
    assert registry.unframe(framed, example.name) == (fingerprint, body)
    assert registry.unframe(example.recorded, example.name) == (fingerprint, body)
    assert SINGLE_OBJECT.frame(fingerprint, body) == example.recorded
    assert SINGLE_OBJECT.unframe(example.recorded, example.name) == (fingerprint, body)
    assert as_single_object(registry, framed, example.name) == example.recorded
    assert as_single_object(registry, example.recorded, example.name) == example.recorded


def test_a_registry_is_asked_once_for_what_it_did_not_register() -> None:
    asked: list[int] = []

    def noted(number: int) -> Writer:
        asked.append(number)
        return resolve(number)

    framing = RegistryFraming(NUMBERS, noted)
    for _ in range(3):
        assert framing.unframe(b"\0\0\0\0\5body", "ComponentRemoved") == (NEWER.fingerprint, b"body")
    assert asked == [5]


def test_a_number_that_the_registry_does_not_know_is_asked_for_again(registry: Framing) -> None:
    for _ in range(2):
        with pytest.raises(UnknownSchemaError, match="no schema 4294967295"):
            registry.unframe(b"\0\xff\xff\xff\xffbody", "ComponentRemoved")


def test_without_a_registry_its_numbers_say_what_is_missing() -> None:
    with pytest.raises(UnknownSchemaError, match="number 258 of a registry, and no registry is configured"):
        SINGLE_OBJECT.unframe(b"\0\0\0\1\2body", "ComponentRemoved")


def test_a_schema_of_another_type_is_not_taken_for_the_events(registry: Framing) -> None:
    # The two records are alike: as the wrong one, the bytes could be read.
    fingerprint, body = next(codec.unframe(each.recorded) for each in EXAMPLES if each.name == "ComponentRemoved")
    with pytest.raises(UnknownSchemaError, match="a ComponentRemoved's and its type is SourceRemoved"):
        registry.unframe(registry.frame(fingerprint, body), "SourceRemoved")


def test_a_schema_that_was_not_registered_cannot_be_written(registry: Framing) -> None:
    with pytest.raises(UnknownSchemaError, match=NEWER.fingerprint.hex()):
        registry.frame(NEWER.fingerprint, b"body")


@pytest.mark.parametrize("kind", ["", "NobodyKnows"])
def test_what_nobody_reads_stays_as_it_is(registry: Framing, kind: str) -> None:
    assert as_single_object(registry, b"\0\0\0\0\1stranger", kind) == b"\0\0\0\0\1stranger"


@given(st.binary(max_size=20) | st.binary(max_size=20).map(b"\0".__add__), st.sampled_from(["", "ComponentRemoved"]))
def test_hostile_bytes_raise_the_two_errors_only(message: bytes, kind: str) -> None:
    for framing in (SINGLE_OBJECT, RegistryFraming(NUMBERS, resolve)):
        try:
            fingerprint, body = framing.unframe(message, kind)
        except (MalformedRecordError, UnknownSchemaError):
            continue
        assert message.endswith(body)
        assert len(fingerprint) == 8

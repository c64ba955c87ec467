"""What any schema registry must do for us, Apicurio's and the one that our own tests have."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import httpx
import msgspec
import pytest

from schemas import codec
from schemas.codec import Schema, UnknownSchemaError
from schemas.events import EventData
from schemas.ids import random_id
from schemas.wire import Writer
from streams.log.registry import RegistryRefusedError, SchemaRegistry, registered


@pytest.fixture
def registry(url: str) -> SchemaRegistry:
    return SchemaRegistry(url, timeout=timedelta(seconds=10))


@pytest.fixture
def first() -> Schema:
    """The first version of an event that no other test has."""
    name = f"Event{random_id()}"
    kind = cast("type[EventData]", msgspec.defstruct(name, [], bases=(EventData,)))
    fields = [{"name": "text", "type": "string"}]
    document = {"type": "record", "name": name, "namespace": "tocsin", "doc": "Something happened.", "fields": fields}
    return Schema(kind, 1, document, document, codec.fingerprint_of(document))


def changed(schema: Schema, **changes: Any) -> Schema:
    document = {**schema.document, **changes}
    return replace(schema, version=2, document=document, fingerprint=codec.fingerprint_of(document))


def grown(schema: Schema, **field: Any) -> Schema:
    return changed(schema, fields=[*schema.document["fields"], {"name": "reason", **field}])


def subject(schema: Schema) -> str:
    return f"tocsin.{schema.type.__name__}"


def test_every_schema_of_ours_gets_a_number_and_the_number_leads_back(registry: SchemaRegistry, url: str) -> None:
    numbers = registry.register(codec.schemas())
    assert len(set(numbers.values())) == len(codec.schemas())
    for schema in codec.schemas():
        assert registry.writer(numbers[schema.fingerprint]) == Writer(schema.fingerprint, schema.type.__name__)
    assert registry.register(codec.schemas()) == numbers
    framing = registered(url)
    for fingerprint, number in numbers.items():
        assert framing.frame(fingerprint, b"...") == b"\0" + number.to_bytes(4, "big") + b"..."


def test_a_subject_is_named_after_the_record_and_fully_compatible(
    registry: SchemaRegistry, url: str, first: Schema
) -> None:
    registry.register([first])
    found = httpx.get(f"{url}/config/{subject(first)}")
    assert found.json() == {"compatibilityLevel": "FULL_TRANSITIVE"}
    [version] = httpx.get(f"{url}/subjects/{subject(first)}/versions").json()
    kept = httpx.get(f"{url}/subjects/{subject(first)}/versions/{version}").json()
    assert json.loads(kept["schema"]) == first.document


def test_a_version_that_adds_a_default_gets_a_number_of_its_own(registry: SchemaRegistry, first: Schema) -> None:
    second = grown(first, type=["null", "string"], default=None)
    before = registry.register([first])
    after = registry.register([first, second])
    assert after[first.fingerprint] == before[first.fingerprint]
    assert after[second.fingerprint] not in before.values()
    assert registry.writer(after[second.fingerprint]).fingerprint == second.fingerprint


def test_a_version_that_no_reader_of_the_first_could_read_is_refused(registry: SchemaRegistry, first: Schema) -> None:
    registry.register([first])
    with pytest.raises(RegistryRefusedError, match="409"):
        registry.register([first, grown(first, type="string")])


def test_other_words_are_the_same_schema(registry: SchemaRegistry, url: str, first: Schema) -> None:
    second = grown(first, type=["null", "string"], default=None)
    numbers = registry.register([first, second])
    reworded = [changed(schema, doc="It is put better now.") for schema in (first, second)]
    assert registry.register(reworded) == numbers
    assert len(httpx.get(f"{url}/subjects/{subject(first)}/versions").json()) == 2


def test_a_strangers_schema_under_our_name_is_not_taken_for_ours(
    registry: SchemaRegistry, url: str, first: Schema
) -> None:
    stranger = {"schema": json.dumps({"type": "record", "name": "Event", "namespace": "stranger", "fields": []})}
    httpx.post(f"{url}/subjects/{subject(first)}/versions", json=stranger).raise_for_status()
    with pytest.raises(RegistryRefusedError, match="409"):
        registry.register([first])


def test_workers_that_start_together_get_the_same_numbers(registry: SchemaRegistry, first: Schema) -> None:
    schemas = [first, grown(first, type=["null", "string"], default=None)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: registry.register(schemas), range(8)))
    assert all(numbers == found[0] for numbers in found)


def test_a_number_that_nobody_gave_is_named(registry: SchemaRegistry) -> None:
    with pytest.raises(UnknownSchemaError, match="has no schema 2000000000"):
        registry.writer(2_000_000_000)


@pytest.mark.parametrize(
    "document", [{"type": "string"}, {"type": "record", "name": "Event", "namespace": "stranger", "fields": []}]
)
def test_a_strangers_schema_is_no_events(registry: SchemaRegistry, url: str, document: dict[str, Any]) -> None:
    body = {"schema": json.dumps(document)}
    number = httpx.post(f"{url}/subjects/{random_id()}/versions", json=body).json()["id"]
    with pytest.raises(UnknownSchemaError, match=f"schema {number} of the registry is no event's"):
        registry.writer(number)

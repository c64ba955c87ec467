"""What any version once wrote is read by today's reader, and means what it meant."""

import pytest

from schemas import codec
from tests.unit.schemas import kept
from tests.unit.schemas.kept import Example

EXAMPLES = kept.examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.name}.{one.version}")
def test_todays_reader_reads_it(example: Example) -> None:
    assert codec.decode(*codec.unframe(example.recorded)) == example.event


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.name}.{one.version}")
def test_its_bytes_name_the_version_that_wrote_them(example: Example) -> None:
    schema = codec.schema_of(codec.unframe(example.recorded)[0])
    assert (schema.type.__name__, schema.version) == (example.name, example.version)


NEWEST = [one for one in EXAMPLES if one.version == codec.current()[type(one.event.data)].version]


@pytest.mark.parametrize("example", NEWEST, ids=lambda one: one.name)
def test_todays_writer_writes_the_same_bytes(example: Example) -> None:
    # The hash chain is over these bytes: a library that encodes otherwise would be noticed here.
    assert codec.frame(*codec.encode(example.event)) == example.recorded

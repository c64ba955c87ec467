"""A log goes through an Avro container file unchanged; a file that was changed, or is none, is refused."""

import io
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.audit.stages import processors
from consumers.audit.verify import verify
from schemas.codec import Schema, encode, schemas
from schemas.events import EVENT_TYPES, AnyEvent, EventData
from streams.log.container import SCHEMAS, Compression, ContainerError, container_schema, export_log, import_log
from streams.log.memory import MemoryEventLog
from streams.log.port import EventLog, Record
from streams.log.sqlite import SqliteEventLog
from streams.log.union import Branches
from tests.strategies.events import events


def exported(log: EventLog, compression: Compression = "deflate") -> bytes:
    out = io.BytesIO()
    export_log(log, out, compression=compression)
    return out.getvalue()


def imported(file: bytes, log: EventLog | None = None) -> EventLog:
    into = MemoryEventLog() if log is None else log
    import_log(into, io.BytesIO(file))
    return into


def all_of(log: EventLog) -> list[Record]:
    return [stored.record for stored in log.scan(None, 10_000)[0]]


def record(event: AnyEvent, number: int = 0) -> Record:
    fingerprint, body = encode(event)
    return Record("tocsin.pages", f"key{number}", f"id{number}", event.type, 17 + number, fingerprint, body)


def any_event() -> st.SearchStrategy[AnyEvent]:
    return st.one_of([events(kind) for kind in EVENT_TYPES])


@pytest.mark.parametrize("compression", ["deflate", "null"])
def test_a_log_goes_out_and_in_unchanged(log: SqliteEventLog, tmp_path: Path, compression: Compression) -> None:
    with closing(SqliteEventLog(tmp_path)) as other:
        done = import_log(other, io.BytesIO(exported(log, compression=compression)))
        assert (done.added, done.chains_agree) == (done.records, True)
        assert other.read_all(0, 10_000) == log.read_all(0, 10_000)
        assert verify(other, processors()) == verify(log, processors())


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=8)
@given(data=st.data())
def test_every_body_comes_back_byte_for_byte(kind: type[EventData], data: st.DataObject) -> None:
    log = MemoryEventLog()
    log.append([record(data.draw(events(kind)))])
    file = exported(log)
    assert all_of(imported(file)) == all_of(log)
    lines: list[Any] = list(fastavro.reader(io.BytesIO(file)))
    assert [line["body"] for line in lines] == [None]


@given(st.binary(max_size=30), st.binary(min_size=8, max_size=8), any_event())
def test_what_no_schema_gives_back_is_kept_as_it_is(body: bytes, fingerprint: bytes, event: AnyEvent) -> None:
    whole = record(event)
    log = MemoryEventLog()
    log.append(
        [
            msgspec.structs.replace(whole, id="1", fingerprint=fingerprint),
            msgspec.structs.replace(whole, id="2", body=body),
            msgspec.structs.replace(whole, id="3", body=whole.body + b"\0"),
        ]
    )
    assert all_of(imported(exported(log))) == all_of(log)


def test_the_command_line_of_fastavro_reads_the_file(log: SqliteEventLog, tmp_path: Path) -> None:
    file = tmp_path / "log.avro"
    file.write_bytes(exported(log))
    shown = subprocess.run([sys.executable, "-m", "fastavro", file], capture_output=True, check=True, text=True)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [line["id"] for line in lines] == [each.id for each in all_of(log)]
    assert {line["event"]["envelope"]["page"] for line in lines} == {"acme"}
    asked = subprocess.run(
        [sys.executable, "-m", "fastavro", "--metadata", file], capture_output=True, check=True, text=True
    )
    known = json.loads(json.loads(asked.stdout)[SCHEMAS])
    assert {line["fingerprint"] for line in lines} <= known.keys()


def test_an_import_that_broke_off_goes_on(log: SqliteEventLog) -> None:
    file = exported(log, compression="null")
    target = MemoryEventLog()
    with pytest.raises(ContainerError, match="cannot be read"):
        imported(file[: len(file) * 2 // 3], target)
    before = len(all_of(target))
    done = import_log(target, io.BytesIO(file))
    assert done.added == done.records - before
    assert done.chains_agree
    again = import_log(target, io.BytesIO(file))
    assert (again.added, again.chains_agree) == (0, True)
    assert all_of(target) == all_of(log)


def test_an_import_into_a_log_of_its_own_adds_and_says_that_the_chains_differ(log: SqliteEventLog) -> None:
    target = MemoryEventLog()
    own = msgspec.structs.replace(all_of(log)[0], id="own")
    target.append([own])
    done = import_log(target, io.BytesIO(exported(log)))
    assert (done.added, done.chains_agree) == (done.records, False)
    assert all_of(target) == [own, *all_of(log)]


def test_a_log_with_other_partitions_takes_the_events(log: SqliteEventLog) -> None:
    names = {stored.record.topic for stored in log.read_all(0, 10_000)} | {"tocsin.pages"}
    target = MemoryEventLog(dict.fromkeys([*names, "tocsin.subscriptions"], 1))
    assert not import_log(target, io.BytesIO(exported(log))).chains_agree
    assert all_of(target) == all_of(log)


def test_an_id_with_another_body_is_an_error(log: SqliteEventLog) -> None:
    first, second = all_of(log)[:2]
    target = MemoryEventLog()
    target.append([msgspec.structs.replace(second, id=first.id)])
    with pytest.raises(ContainerError, match=f"another event with the id {first.id}"):
        imported(exported(log), target)


def test_of_an_id_that_a_file_repeats_the_first_counts(log: SqliteEventLog, tmp_path: Path) -> None:
    """Two workers of a fleet may take in the same alert; each stamps it with a time of its own."""
    source: Any = fastavro.reader(io.BytesIO(exported(log)), return_record_name=True)
    lines: list[Any] = [{**line, "chain": ""} for line in source]
    name, opened = next(line["event"] for line in lines if line["type"] == "IncidentOpened")
    second = next(line for line in lines if line["type"] == "IncidentOpened")
    lines.append({**second, "event": (name, {**opened, "title": "Said again"})})
    out = io.BytesIO()
    fastavro.writer(out, source.writer_schema, lines, metadata={SCHEMAS: source.metadata[SCHEMAS]})
    with closing(SqliteEventLog(tmp_path)) as target:
        done = import_log(target, io.BytesIO(out.getvalue()))
        assert (done.added, done.repeated, done.chains_agree) == (done.records - 1, 1, False)
        assert all_of(target) == all_of(log)
        again = import_log(target, io.BytesIO(out.getvalue()))
        assert (again.added, again.repeated) == (0, 1)


@pytest.mark.parametrize("what", ["title", "chain", "fingerprint", "order"])
def test_a_file_that_was_changed_is_refused(log: SqliteEventLog, what: str) -> None:
    source = fastavro.reader(io.BytesIO(exported(log)), return_record_name=True)
    lines: list[Any] = list(source)
    at = next(number for number, line in enumerate(lines) if line["type"] == "IncidentOpened")
    following = next(
        number for number in range(at + 1, len(lines)) if lines[number]["partition"] == lines[at]["partition"]
    )
    match what:
        case "title":
            lines[at]["event"][1]["title"] = "A sunny day"
        case "chain":
            lines[at]["chain"] = "0" * 64
        case "fingerprint":
            lines[at]["fingerprint"] = lines[0]["fingerprint"]
        case _:
            lines[at], lines[following] = lines[following], lines[at]
    out = io.BytesIO()
    fastavro.writer(out, source.writer_schema, lines, metadata={SCHEMAS: source.metadata[SCHEMAS]})
    target = MemoryEventLog()
    with pytest.raises(ContainerError):
        imported(out.getvalue(), target)
    assert len(all_of(target)) <= at


@pytest.mark.parametrize("content", [b"", b"no Avro at all", b"Obj\x01"])
def test_what_is_no_container_is_refused(content: bytes) -> None:
    with pytest.raises(ContainerError, match="cannot be read"):
        imported(content)


def test_another_container_is_refused() -> None:
    out = io.BytesIO()
    fastavro.writer(out, {"type": "record", "name": "Other", "fields": []}, [{}])
    with pytest.raises(ContainerError, match="no export of a log"):
        imported(out.getvalue())


def test_two_versions_of_an_event_live_in_one_union() -> None:
    first = schemas()[0]
    fields = [*first.document["fields"], {"name": "added_later", "type": "string", "default": ""}]
    second = Schema(
        **{name: getattr(first, name) for name in first.__dataclass_fields__}
        | {"version": 2, "document": {**first.document, "fields": fields}, "fingerprint": b"12345678"}
    )
    branches = Branches([*schemas(), second])
    fastavro.parse_schema(container_schema(branches))
    assert len(set(branches.names.values())) == len(branches.names)

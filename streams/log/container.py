"""The log as a standard Avro container file: out of any engine, and into any other with no body changed.

Each record holds where an event lay and the event itself, as a branch of the union of all events' records, so that
any Avro reader shows it. A body that its schema does not give back byte for byte is kept as bytes instead. Format:
Avro 1.12 specification, "Object Container Files"; ``docs/log.md`` describes the fields.
"""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import IO, Any, Literal, TypeAlias

import msgspec
from fastavro import parse_schema, reader, schemaless_reader, schemaless_writer
from fastavro.write import Writer

from schemas import codec, topics
from schemas.shapes import learn
from streams.log.chain import GENESIS, link
from streams.log.port import EventLog, LogError, Record, Stored, TopicPartition
from streams.log.union import Branches

Compression: TypeAlias = Literal["null", "deflate"]
Progress: TypeAlias = Callable[[int], None]
"""Told now and then how many records are done."""
SCHEMAS = "tocsin.schemas"
"""The file's metadata under this key: a JSON object of the events' schemas by their fingerprints in hex digits."""
_CHUNK = 1_000
_NAME = "LoggedEvent"
_NAMESPACE = "tocsin.log"


class ContainerError(LogError):
    """A file is no export of a log, is damaged, or contradicts the log that it is imported into."""


class Line(msgspec.Struct, frozen=True):
    """One record of the file. ``fingerprint`` and ``chain`` are hex digits; either ``event`` or ``body`` is there."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str
    recorded_at: int
    fingerprint: str
    chain: str
    event: dict[str, Any] | None
    body: bytes | None

    @property
    def place(self) -> str:
        """Where the record lay, for messages to people."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


learn(Line)


class Imported(msgspec.Struct, frozen=True):
    """What an import did: how many records the file has, and how many of them the log did not have.

    ``repeated`` is how many of the file's records have the id of one before it in the file: Kafka keeps what is appended
    twice, and the first is what counts. ``chains_agree`` says whether the log's chains now end as the file's do: not
    where the file repeats an id, the log holds anything else, or has another number of partitions.
    """

    records: int
    added: int
    repeated: int
    chains_agree: bool


def container_schema(branches: Branches) -> dict[str, Any]:
    """Return the schema of the file's records."""
    types: dict[str, Any] = {
        "topic": "string", "partition": "int", "offset": "long", "key": "string", "id": "string", "type": "string",
        "recorded_at": "long", "fingerprint": "string", "chain": "string",
        "event": ["null", *branches.documents], "body": ["null", "bytes"],
    }  # fmt: skip
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    return {"type": "record", "name": _NAME, "namespace": _NAMESPACE, "fields": fields}


def export_log(
    log: EventLog, file: IO[bytes], *, compression: Compression = "deflate", progress: Progress | None = None
) -> int:
    """Write the whole log to ``file`` in append order and return the number of records."""
    branches = Branches(codec.schemas())
    documents = {each.fingerprint.hex(): each.document for each in codec.schemas()}
    output = Writer(file, container_schema(branches), compression, metadata={SCHEMAS: json.dumps(documents)})
    count = 0
    cursor = None
    while True:
        found, cursor = log.scan(cursor, _CHUNK)
        if not found:
            output.flush()
            return count
        for stored in found:
            output.write(_line(stored, branches))
        count += len(found)
        if progress is not None:
            progress(count)


def _line(stored: Stored, branches: Branches) -> dict[str, Any]:
    record = stored.record
    event = _readable(record)
    return {
        "topic": record.topic,
        "partition": stored.partition,
        "offset": stored.offset,
        "key": record.key,
        "id": record.id,
        "type": record.type,
        "recorded_at": record.recorded_at,
        "fingerprint": record.fingerprint.hex(),
        "chain": stored.chain.hex(),
        "event": None if event is None else (branches.names[record.fingerprint], event),
        "body": record.body if event is None else None,
    }


def _readable(record: Record) -> Any:
    """Return the event as its writer's schema reads it, or None where that does not give the same bytes back."""
    try:
        parsed = codec.schema_of(record.fingerprint).parsed
        event = schemaless_reader(BytesIO(record.body), parsed, None)
        return event if _written(parsed, event) == record.body else None
    except Exception:  # fastavro raises whatever damaged bytes lead to; they are kept as they are
        return None


def _written(parsed: dict[str, Any], event: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, parsed, event)
    return out.getvalue()


def import_log(log: EventLog, file: IO[bytes], *, progress: Progress | None = None) -> Imported:
    """Append what ``file`` holds and the log does not, in the file's order; may be repeated after it broke off.

    A log that does not look ids up (Kafka) holds twice what is imported twice; all consumers accept that.
    Raises ContainerError before a record is appended whose body is not the exported one, and where the log has an id
    with another body than the file's first record of that id.
    """
    importer = _Importer(log)
    for line, record in _records(file):
        importer.take(line, record)
        if progress is not None and importer.records % _CHUNK == 0:
            progress(importer.records)
    importer.flush()
    return Imported(importer.records, importer.added, importer.repeated, importer.chains_agree())


class _Importer:
    """Appends in batches and compares what the log says with what the file said."""

    def __init__(self, log: EventLog) -> None:
        self.records = 0
        self.added = 0
        self.repeated = 0
        self._log = log
        self._begin = {(name, number): end for name in topics.TOPIC_OF_NAME for number, end in log.end(name).items()}
        self._met: set[str] = set()
        self._moved = False
        self._batch: list[tuple[Line, Record]] = []
        self._links: dict[TopicPartition, bytes] = {}

    def take(self, line: Line, record: Record) -> None:
        """Check one record against the file's own chain and queue it."""
        place = (line.topic, line.partition)
        expected = link(self._links.get(place, GENESIS), record.fingerprint, record.body)
        # A log on Kafka may have been read without its chain; its file then has none to compare with.
        if line.chain and expected.hex() != line.chain:
            raise ContainerError(f"{line.place}: the chain breaks; the file was changed after it was written")
        self._links[place] = expected
        self._batch.append((line, record))
        self.records += 1
        if len(self._batch) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Append what is queued."""
        batch, self._batch = self._batch, []
        try:
            answers = self._log.append([record for _, record in batch]) if batch else []
        except KeyError as error:
            raise ContainerError(f"the log has no topic {error}") from error
        for (line, record), answer in zip(batch, answers, strict=True):
            self._moved = self._moved or answer.partition != line.partition
            if not answer.duplicate:
                self.added += 1
            else:
                self._compare(line, record)

    def _compare(self, line: Line, record: Record) -> None:
        """Look at what the log has under an id already: of the file's records of one id it must be the first."""
        known = self._log.find(record.id)
        is_ours = known is not None and known.offset >= self._begin[known.record.topic, known.partition]
        if is_ours or record.id in self._met:
            self.repeated += 1
        elif known is None or known.record != record:
            raise ContainerError(f"{line.place}: the log has another event with the id {record.id}")
        else:
            self._met.add(record.id)

    def chains_agree(self) -> bool:
        """Whether the log now ends with the file's links; raises ContainerError where it was empty and does not."""
        ends = {(name, number): end for name in topics.TOPIC_OF_NAME for number, end in self._log.end(name).items()}
        last = {place: self._last_link(place, end) for place, end in ends.items() if end}
        agree = last == self._links
        if not (agree or self._moved or self.repeated or any(self._begin.values())):
            raise ContainerError("the imported log's chains do not end as the file's do")
        return agree

    def _last_link(self, place: TopicPartition, end: int) -> bytes:
        found = self._log.read(*place, end - 1, 1)
        return found[0].chain if found else b""


def _records(file: IO[bytes]) -> Iterator[tuple[Line, Record]]:
    done = 0
    try:
        lines = reader(file)
        writers = _writers(lines)
        for found in lines:
            line = msgspec.convert(found, Line)
            body = line.body
            if body is None:
                body = _written(writers[line.fingerprint], line.event)
            yield line, _record(line, body)
            done += 1
    except ContainerError:
        raise
    except Exception as error:  # fastavro raises whatever a damaged file leads to
        raise ContainerError(f"the file cannot be read after record {done}: {error!r}") from error


def _writers(lines: Any) -> dict[str, Any]:
    if lines.writer_schema.get("name") != f"{_NAMESPACE}.{_NAME}" or SCHEMAS not in lines.metadata:
        raise ContainerError("the file is an Avro container, but no export of a log")
    documents = json.loads(lines.metadata[SCHEMAS])
    return {fingerprint: parse_schema(document, named_schemas={}) for fingerprint, document in documents.items()}


def _record(line: Line, body: bytes) -> Record:
    fingerprint = bytes.fromhex(line.fingerprint)
    return Record(line.topic, line.key, line.id, line.type, line.recorded_at, fingerprint, body)

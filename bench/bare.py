"""The bare loops that Tocsin is held against: the work that cannot be left out, on one core, and nothing else."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from fastavro import schemaless_reader, schemaless_writer

from schemas.codec import current, schema_of
from schemas.events import AlertReceived

_NOW = 1_795_000_000_000_000


def ingest(bodies: Sequence[bytes], file: Path) -> float:
    """Return the seconds of: JSON decode, Avro encode, hash, one synced append a body."""
    schema = current()[AlertReceived].parsed
    start = time.perf_counter()
    with file.open("ab", buffering=0) as out:
        for body in bodies:
            digest = sha256(body).hexdigest()
            block = BytesIO()
            for item in orjson.loads(body)["alerts"]:
                began = block.tell()
                schemaless_writer(block, schema, _record(item, digest))
                block.write(sha256(block.getbuffer()[began:]).digest())
            out.write(block.getbuffer())
            os.fdatasync(out.fileno())
    return time.perf_counter() - start


def ingest_table(bodies: Sequence[bytes], file: Path) -> float:
    """Return the seconds of: JSON decode, Avro encode, hash chain, one synced transaction of SQLite a body."""
    schema = current()[AlertReceived].parsed
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute(
        "create table if not exists log (seq integer primary key, id text, key text, body blob, chain blob)"
    )
    chain = b""
    start = time.perf_counter()
    for body in bodies:
        digest = sha256(body).hexdigest()
        rows = []
        for item in orjson.loads(body)["alerts"]:
            block = BytesIO()
            schemaless_writer(block, schema, _record(item, digest))
            chain = sha256(chain + block.getbuffer()).digest()
            rows.append((digest[:32], item["fingerprint"], block.getvalue(), chain))
        connection.execute("begin immediate")
        connection.executemany("insert into log (id, key, body, chain) values (?, ?, ?, ?)", rows)
        connection.execute("commit")
    spent = time.perf_counter() - start
    connection.close()
    return spent


def _record(item: dict[str, Any], digest: str) -> dict[str, Any]:
    return {
        "envelope": {
            "id": digest[:32], "page": "acme", "occurred_at": _NOW, "recorded_at": _NOW, "actor": "source:prom",
            "causation_id": None, "correlation_id": None, "drill": False,
        },
        "source": "prom",
        "fingerprint": item["fingerprint"],
        "episode": digest[:32],
        "status": item["status"],
        "severity": item["labels"]["severity"],
        "starts_at": _NOW,
        "ends_at": None,
        "expires_at": None,
        "title": item["annotations"]["summary"],
        "labels": item["labels"],
        "annotations": item["annotations"],
        "url": item["generatorURL"],
        "body_hash": digest,
        "test": False,
        "inconclusive": False,
    }  # fmt: skip


def read(rows: Sequence[tuple[bytes, bytes]], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds of fastavro's ``schemaless_reader`` over rows of (fingerprint, body)."""
    schemas = {fingerprint: schema_of(fingerprint).parsed for fingerprint in {row[0] for row in rows}}
    start = clock()
    for fingerprint, body in rows:
        schemaless_reader(BytesIO(body), schemas[fingerprint], None)
    return clock() - start

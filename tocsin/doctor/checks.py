"""What is looked at, in the order in which it is to be mended: one function a part, each with its advice."""

import os
import shutil
import socket
import sqlite3
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from consumers.delivery.channels.email import EmailSettings
from consumers.delivery.net.smtp import SmtpServer
from schemas.topics import DEFAULT_PARTITIONS
from streams.keys.master import MASTER_VARIABLE, open_vault
from streams.keys.store import KeyStoreUnavailableError
from streams.keys.vault import WrongMasterKeyError
from streams.log.port import LogError
from streams.log.sqlite import FILE_NAME, SqliteEventLog
from streams.runtime.state_store import StoreUnavailableError
from tocsin.config import Config
from tocsin.config.models import Engine
from tocsin.doctor.channels import Asked, channels_of_server
from tocsin.doctor.report import Check, Finding, Found

_REACH_SECONDS = 5.0
_MOST_SKEW = 1.0
"""Seconds: delays and promises are counted by several clocks, and mails say what time it is."""
_LEAST_FREE = 512 * 1024 * 1024
_KEY_BYTES = 32


def embedded(config: Config, folder: Path, environment: Mapping[str, str], server: Asked) -> list[Check]:
    """Return the checks of one folder and one process; how its channels stand is for ``server`` to say."""
    return [
        Check("folder", lambda: _folder(folder)),
        Check("master key", lambda: _folder_key(folder, environment), ("folder",)),
        Check("log", lambda: _folder_log(folder), ("folder",)),
        *_smtp(config),
        Check("channels", lambda: channels_of_server(config.page.id, server)),
    ]


def distributed(config: Config, engine: Engine, environment: Mapping[str, str]) -> list[Check]:
    """Return the checks of the distributed engine."""
    from tocsin.doctor.fleet import FleetChecks  # noqa: PLC0415 -- it needs the libraries of the distributed engine

    fleet = FleetChecks(engine, environment)
    return [
        Check("master key", lambda: _given_key(environment)),
        Check("kafka", fleet.kafka),
        Check("topics", fleet.topics, ("kafka",)),
        Check("redis", fleet.redis),
        Check("state", lambda: fleet.state(DEFAULT_PARTITIONS), ("redis",)),
        Check("keys", fleet.keys, ("master key", "kafka", "redis")),
        *([Check("registry", fleet.registry)] if engine.registry else []),
        *_smtp(config),
        Check("channels", lambda: fleet.channels(config), ("redis", "state")),
        Check("clocks", fleet.clocks, ("kafka", "redis")),
    ]


def _folder(folder: Path) -> list[Finding]:
    if not folder.exists():
        parent = next(above for above in folder.absolute().parents if above.exists())
        if os.access(parent, os.W_OK):
            return []  # it is made by the first start
        return [Finding(f"{folder} does not exist and cannot be made", f"make {parent} writable for this user")]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Finding(f"{folder} cannot be written", "give it to the user that Tocsin runs as")]
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        return [Finding(f"{folder} has {free // 2**20} MiB of room left", "make room: without it no alert is taken")]
    return []


def _folder_key(folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    if not (folder / "keys.db").exists():
        return _given_key(environment) if environment.get(MASTER_VARIABLE) else []  # it is made by the first start
    try:
        open_vault(folder, environment).close()
    except (WrongMasterKeyError, KeyStoreUnavailableError, OSError, sqlite3.Error) as error:
        advice = f"bring back the key that this folder was begun with ({MASTER_VARIABLE}, or master.key in the folder)"
        return [Finding(str(error), advice)]
    return []


def _folder_log(folder: Path) -> list[Finding]:
    if not (folder / FILE_NAME).exists():
        return []
    try:
        SqliteEventLog(folder, read_only=True).close()
    except (LogError, sqlite3.Error, OSError) as error:
        return [Finding(f"{folder / FILE_NAME} cannot be read: {error}", "bring it back from a backup")]
    return []


def _given_key(environment: Mapping[str, str]) -> list[Finding]:
    text = environment.get(MASTER_VARIABLE, "").strip()
    if not text:
        return [Finding(f"{MASTER_VARIABLE} is not set", "make one with `openssl rand -hex 32`, and keep it safe")]
    try:
        wrong = len(bytes.fromhex(text)) != _KEY_BYTES
    except ValueError:
        wrong = True
    return (
        [Finding(f"{MASTER_VARIABLE} is not 64 hex digits", "set it to the key this log began with")] if wrong else []
    )


def _smtp(config: Config) -> list[Check]:
    email = config.channels.get("email")
    if not isinstance(email, EmailSettings) or (via := email.via) is None:
        return []
    return [Check("smtp", lambda: _reach_smtp(via.reveal()))]


def _reach_smtp(url: str) -> list[Finding]:
    server = SmtpServer.of_url(url)
    where = f"the mail server {server.host}:{server.port}"
    try:
        with socket.create_connection((server.host, server.port), _REACH_SECONDS) as plain:
            if server.tls == "implicit":
                context = ssl.create_default_context()
                with context.wrap_socket(plain, server_hostname=server.host) as secure:
                    greeting = secure.recv(3)
            else:
                greeting = plain.recv(3)
    except OSError as error:
        return [Finding(f"{where} cannot be reached: {error.strerror or error}", "see channels.email.via")]
    if greeting != b"220":
        return [Finding(f"{where} does not greet as a mail server does", "see channels.email.via: port and scheme")]
    return []


def reached(look: Callable[[], Found], what: str, advice: str) -> Found:
    """Return what ``look`` finds, or that it could not look."""
    try:
        return look()
    except (LogError, StoreUnavailableError, KeyStoreUnavailableError, OSError) as error:
        return [Finding(f"{what}: {error}", advice)]


def skewed(name: str, seconds: float) -> list[Finding]:
    """Return a finding where a clock is too far from ours."""
    if abs(seconds) <= _MOST_SKEW:
        return []
    way = "ahead of" if seconds > 0 else "behind"
    return [Finding(f"the clock of {name} is {abs(seconds):.1f} s {way} this machine's", "run NTP on all of them")]

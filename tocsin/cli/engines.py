"""Reads where a command finds its log: a data folder, or a cluster by URL; addresses only, it opens nothing."""

import re
from typing import NamedTuple

import typer

_KAFKA = "kafka://"
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{0,64}")


class KafkaAddress(NamedTuple):
    """A cluster's first brokers, and what stands before every name there."""

    servers: list[str]
    namespace: str


def read_kafka(text: str, hint: str) -> KafkaAddress:
    """Read ``kafka://host:port[,host:port]/[namespace]``; anything else is a usage error at the option ``hint``."""
    hosts, _, namespace = text.removeprefix(_KAFKA).partition("/")
    servers = hosts.split(",")
    known = text.startswith(_KAFKA) and all(map(_SERVER.fullmatch, servers)) and _NAMESPACE.fullmatch(namespace)
    if not known:
        raise typer.BadParameter(f"{text!r} is not kafka://host:port[,host:port]/[namespace]", param_hint=hint)
    return KafkaAddress(servers, namespace)

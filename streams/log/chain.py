"""The hash chain that makes tampering evident: each link covers the one before, the schema and the body."""

from collections.abc import Mapping
from hashlib import sha256

GENESIS = bytes(32)
"""The link before a partition's first record."""


def link(previous: bytes, fingerprint: bytes, body: bytes) -> bytes:
    """Return SHA-256(previous || fingerprint || body): 32 bytes."""
    return sha256(previous + fingerprint + body).digest()


def head(links: Mapping[tuple[str, int], bytes]) -> str:
    """Return one hash (64 hex digits) over the last links of all partitions; empty partitions do not count."""
    digest = sha256()
    for (topic, partition), last in sorted(links.items()):
        digest.update(f"{topic}[{partition}]".encode() + last)
    return digest.hexdigest()

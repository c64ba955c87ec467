"""Instance keys: what makes two messages speak of the same alert. Only stable fields may enter here."""

from collections.abc import Iterable
from functools import lru_cache

from schemas.ids import derive

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = (1 << 64) - 1
_CACHED_UP_TO = 2_048
_HASHED_UP_TO = 65_536
MAX_KEY = 255

Pairs = tuple[tuple[str, str], ...]


def label_fingerprint(labels: dict[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set: 16 hex digits.

    It is FNV-1a with 64 bits over name, 0xFF, value, 0xFF in the order of the names (LabelSet.Fingerprint in
    github.com/prometheus/common/model). Labels of more than 64 KiB, which no Alertmanager holds, get a BLAKE2b of the
    same instead, because FNV costs 70 ns a byte here.
    """
    pairs = tuple(sorted(labels.items()))
    size = sum(len(name) + len(value) for name, value in pairs)
    if size <= _CACHED_UP_TO:
        return _cached_fnv(pairs)
    return _fnv(pairs) if size <= _HASHED_UP_TO else digest(part for pair in pairs for part in pair)


def _fnv(pairs: Pairs) -> str:
    value = _FNV_OFFSET
    for byte in b"".join(b"%b\xff%b\xff" % (name.encode(), text.encode()) for name, text in pairs):
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return f"{value:016x}"


_cached_fnv = lru_cache(maxsize=4096)(_fnv)  # Prometheus sends every firing alert again each minute


def digest(parts: Iterable[str]) -> str:
    """Return an instance key made of several texts, whose number and order count."""
    return derive("instance", *(f"{len(part)}:{part}" for part in parts))


def instance_key(text: str) -> str:
    """Return a sender's own key as the instance key; one that is too long to be a key on the log is hashed."""
    return text if len(text) <= MAX_KEY else digest((text,))

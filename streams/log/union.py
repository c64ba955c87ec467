"""The schemas of all events as the branches of one Avro union, where each name may be defined only once.

It knows Avro's rules for names and nothing of files. A type that is defined again as it was is referred to by its
name; one of the same name that differs (in another version of an event) moves to a namespace of that version.
"""

from collections.abc import Iterable
from typing import Any

from schemas.codec import NAMESPACE, Schema

_NAMED = ("record", "enum", "fixed")


class Branches:
    """The union's branches in order, and the name of each by the fingerprint of its schema."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self.documents: list[Any] = []
        self.names: dict[bytes, str] = {}
        self._known: dict[str, Any] = {}
        for schema in schemas:
            branch = self._defined(schema.document, f"{NAMESPACE}.v{schema.version}.{schema.type.__name__}", {})
            self.documents.append(branch)
            self.names[schema.fingerprint] = f"{branch['namespace']}.{branch['name']}"

    def _defined(self, document: Any, fallback: str, renamed: dict[str, str]) -> Any:
        """Return ``document`` with what is known replaced by its name; names that are taken move to ``fallback``."""
        match document:
            case str():
                return renamed.get(document, document)
            case list():
                return [self._defined(each, fallback, renamed) for each in document]
            case {"type": kind, "name": name} if kind in _NAMED:
                return self._named(document, name.rpartition(".")[2], fallback, renamed)
            case {"type": "array", "items": items}:
                return {**document, "items": self._defined(items, fallback, renamed)}
            case {"type": "map", "values": values}:
                return {**document, "values": self._defined(values, fallback, renamed)}
            case _:
                return document

    def _named(self, document: dict[str, Any], name: str, fallback: str, renamed: dict[str, str]) -> Any:
        full = f"{NAMESPACE}.{name}"
        if self._known.get(full) == document:
            return full
        if full in self._known:
            renamed[full] = f"{fallback}.{name}"
        self._known[renamed.get(full, full)] = document
        defined = {**document, "name": name, "namespace": renamed.get(full, full).rpartition(".")[0]}
        if "fields" in document:
            fields = document["fields"]
            defined["fields"] = [{**each, "type": self._defined(each["type"], fallback, renamed)} for each in fields]
        return defined

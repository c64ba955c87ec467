"""Registers our schemas with a schema registry and asks what its numbers mean: Confluent's HTTP API. It frames nothing.

A schema's subject is the full name of its record (RecordNameStrategy): an event is one contract wherever it travels, a topic
has many, and a timer travels on two. Subjects are FULL_TRANSITIVE, because a log is read from its beginning by today's
readers, and during an upgrade, or after one is taken back, by yesterday's. See ``docs/schemas.md``.
https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from schemas import codec
from schemas.codec import Schema, UnknownSchemaError
from schemas.shapes import decoder
from schemas.wire import Framing, RegistryFraming, Writer
from streams.log.port import LogError, LogUnavailableError

COMPATIBILITY = "FULL_TRANSITIVE"
_MEDIA = "application/vnd.schemaregistry.v1+json"
_CALL_SECONDS = 5.0
_NO_SUBJECT = 40401
T = TypeVar("T")


class RegistryRefusedError(LogError):
    """The registry answered and said no, or something else than a registry did; repeating will not help."""


class _BusyError(Exception):
    """The registry cannot answer now."""


class _NotFoundError(Exception):
    """The registry has no such thing; ``code`` says which, in the registry's own numbers."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Numbered(msgspec.Struct):
    id: int


class _Described(msgspec.Struct):
    """A schema as the registry gives it; Avro is what has no type."""

    schema: str
    schema_type: str = msgspec.field(name="schemaType", default="AVRO")
    id: int = 0


class _Problem(msgspec.Struct):
    error_code: int = 0
    message: str = ""


class SchemaRegistry:
    """A registry at a URL, such as ``https://name:password@registry.example/apis/ccompat/v7``.

    ``timeout`` is for how long a call repeats its requests before it raises LogUnavailableError. Every call may be made
    from any thread and blocks. Name and password are sent, and neither shown nor logged. Raises ValueError for a URL that is none.
    """

    def __init__(self, url: str, *, timeout: timedelta = timedelta(seconds=30)) -> None:
        try:
            whole = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise ValueError("the schema registry's URL is not one") from None  # it may hold a password: not shown
        if whole.scheme not in ("http", "https") or not whole.host:
            raise ValueError("the schema registry's URL must begin with http:// or https:// and a host")
        self._auth = httpx.BasicAuth(whole.username, whole.password) if whole.userinfo else None
        # Taken out of the URL, because httpx logs URLs whole.
        self._url = whole.copy_with(username=None, password=None, query=None, fragment=None)
        self._timeout = timeout.total_seconds()

    def register(self, schemas: Sequence[Schema]) -> dict[bytes, int]:
        """Return the registry's number of every schema by fingerprint; those that it lacks are registered.

        The versions of a type come in ascending order. Where all are known nothing is written. Raises
        LogUnavailableError, and RegistryRefusedError (a schema is incompatible with those there, credentials are wrong).
        """
        with self._client() as client:
            return {schema.fingerprint: self._number(client, schema) for schema in schemas}

    def writer(self, number: int) -> Writer:
        """Return what a number means; raises UnknownSchemaError, LogUnavailableError, RegistryRefusedError."""
        with self._client() as client:
            try:
                found = self._call(client, "GET", f"schemas/ids/{number}", _Described)
            except _NotFoundError:
                raise UnknownSchemaError(f"the schema registry {self._url} has no schema {number}") from None
        return _writer(found, number)

    # --- one schema ---

    def _number(self, client: httpx.Client, schema: Schema) -> int:
        subject = quote(f"{codec.NAMESPACE}.{schema.type.__name__}", safe="")
        wanted = {"schema": json.dumps(schema.document)}
        try:
            return self._call(client, "POST", f"subjects/{subject}", _Numbered, wanted).id
        except _NotFoundError as missing:
            if missing.code != _NO_SUBJECT and (number := self._reworded(client, subject, schema)) is not None:
                return number
        self._call(client, "PUT", f"config/{subject}", dict[str, Any], {"compatibility": COMPATIBILITY})
        return self._call(client, "POST", f"subjects/{subject}/versions", _Numbered, wanted).id

    def _reworded(self, client: httpx.Client, subject: str, schema: Schema) -> int | None:
        """Return the number of a schema that differs in its documentation only: to us and to every reader it is the same."""
        try:
            for version in self._call(client, "GET", f"subjects/{subject}/versions", list[int]):
                found = self._call(client, "GET", f"subjects/{subject}/versions/{version}", _Described)
                if _is(found, schema):
                    return found.id
        except _NotFoundError:
            return None  # the subject has settings and no schema yet
        return None

    # --- one request ---

    def _client(self) -> httpx.Client:
        headers = {"Accept": _MEDIA, "Content-Type": _MEDIA}
        return httpx.Client(base_url=self._url, auth=self._auth, headers=headers, timeout=_CALL_SECONDS)

    def _call(self, client: httpx.Client, method: str, path: str, answer: type[T], document: Any = None) -> T:
        """Return the answer; every request that we make can be repeated without harm."""
        retrying = Retrying(
            stop=stop_after_delay(self._timeout),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception_type((httpx.TransportError, _BusyError)),
            reraise=True,
        )
        try:
            body: bytes = retrying(self._once, client, method, path, document)
            return decoder(answer).decode(body)
        except (httpx.TransportError, _BusyError) as error:
            raise LogUnavailableError(f"the schema registry {self._url} does not answer: {error!r}") from error
        except msgspec.DecodeError as error:
            raise RegistryRefusedError(f"what answers at {self._url} is no schema registry: {error}") from error

    def _once(self, client: httpx.Client, method: str, path: str, document: Any) -> bytes:
        response = client.request(method, path, json=document)
        if response.is_success:
            return response.content
        # Two that set the rule of a new subject at once: Apicurio answers the slower one that the rule exists already.
        at_once = method == "PUT" and response.status_code == 409
        if response.status_code == 429 or response.is_server_error or at_once:
            raise _BusyError(f"{response.status_code} to {method} {path}")
        problem = _problem(response.content)
        if response.status_code == 404 and problem.error_code:
            raise _NotFoundError(problem.error_code)
        raise RegistryRefusedError(
            f"the schema registry {self._url} refuses {method} {path}: {response.status_code} {problem.message}".rstrip()
        )


def registered(url: str, *, timeout: timedelta = timedelta(seconds=30)) -> Framing:
    """Register all versions of all our schemas, and return the framing that names them by the registry's numbers.

    From then on the registry is asked only for numbers that others' messages have. Raises what ``SchemaRegistry`` raises.
    """
    registry = SchemaRegistry(url, timeout=timeout)
    return RegistryFraming(registry.register(codec.schemas()), registry.writer)


def _problem(body: bytes) -> _Problem:
    try:
        return decoder(_Problem).decode(body)
    except msgspec.DecodeError:
        return _Problem()


def _writer(found: _Described, number: int) -> Writer:
    try:
        document = decoder(dict[str, Any]).decode(found.schema)
        namespace, _, name = _full_name(document).rpartition(".")
        if found.schema_type == "AVRO" and namespace == codec.NAMESPACE:
            return Writer(codec.fingerprint_of(document), name)
    except Exception as error:  # fastavro raises whatever a stranger's schema leads to
        raise UnknownSchemaError(f"schema {number} of the registry cannot be read: {error!r}") from error
    raise UnknownSchemaError(f"schema {number} of the registry is no event's")


def _is(found: _Described, schema: Schema) -> bool:
    try:
        return _writer(found, found.id).fingerprint == schema.fingerprint
    except UnknownSchemaError:
        return False


def _full_name(document: dict[str, Any]) -> str:
    name = str(document.get("name"))
    return name if "." in name else f"{document.get('namespace')}.{name}"

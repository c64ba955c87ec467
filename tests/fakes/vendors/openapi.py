"""A vendor's own OpenAPI document as the judge of requests. ``cut`` makes the documents; their faults are patched here, in the open."""

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.fakes.vendors.http import Request

DOCUMENTS = Path(__file__).parent / "documents"


@dataclass(frozen=True)
class Patch:
    """A fault of a document. ``at`` is a JSON pointer (RFC 6901), ``value`` stands there instead (None: nothing does).

    ``proof`` is a request that the vendor takes and the document does not without the patch, so that a patch whose
    fault was mended is noticed. ``refused`` makes it one that the vendor refuses and only the patched document does.
    """

    at: str
    value: Any
    reason: str
    proof: Request
    refused: bool = False


class Document:
    """The cut of a vendor's document, with patches. Loading takes some milliseconds; use one for all tests."""

    def __init__(self, name: str, patches: Sequence[Patch] = ()) -> None:
        content = json.loads((DOCUMENTS / f"{name}.json").read_text("utf-8"))
        for patch in patches:
            _apply(content, patch)
        server = urlsplit(content["servers"][0]["url"])
        self._server = f"{server.scheme}://{server.netloc}"
        self._api = OpenAPI.from_dict(content)

    def complaint(self, request: Request) -> str | None:
        """Return what the document objects to."""
        try:
            self._api.validate_request(_Asked(request, self._server))
        except OpenAPIError as error:
            return "; ".join(_reasons(error))
        return None


class _Asked:
    """A request in the shape that openapi-core asks for, as if it had come to the vendor's own address."""

    def __init__(self, request: Request, server: str) -> None:
        self.host_url = server
        self.path = request.path
        self.method = request.method.lower()
        self.body = request.raw or None
        self.content_type = request.headers.get("content-type", "").lower()
        query = [(name, value) for name, values in request.query.items() for value in values]
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(query), header=Headers(list(request.headers.items())), cookie=ImmutableMultiDict()
        )


def _reasons(error: BaseException) -> list[str]:
    """Return what lies behind an error of the library: its own text names no field and repeats the body."""
    inner: BaseException | None = error
    while inner is not None:
        if found := [f"{one.json_path}: {one.message}" for one in getattr(inner, "schema_errors", ())]:
            return found
        inner = inner.__cause__
    return [str(error)]


def _apply(content: Any, patch: Patch) -> None:
    *above, last = [step.replace("~1", "/").replace("~0", "~") for step in patch.at.split("/")[1:]]
    place = content
    for step in above:
        place = place[int(step) if isinstance(place, list) else step]
    assert last in place, f"{patch.at}: there is nothing to patch"
    if patch.value is None:
        del place[last]
    else:
        place[last] = deepcopy(patch.value)

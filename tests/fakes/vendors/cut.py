"""Cuts vendors' OpenAPI documents down to the operations that are used: ``python -m tests.fakes.vendors.cut FOLDER``.

FOLDER holds the whole documents under the names in ``CUTS``. A whole one takes a second to load, and most of it is text for
people: descriptions, examples and what begins with ``x-`` are left out, and the shapes of answers, which are not checked.
Nothing else is changed; faults are for patches.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.vendors.openapi import DOCUMENTS

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_PROSE = {"description", "example", "examples", "externalDocs", "summary", "tags"}
_OF_NAMES = {"properties", "patternProperties", "schemas", "parameters", "responses", "requestBodies", "headers"}
"""Below these stand names, which may well be words of ``_PROSE``."""


@dataclass(frozen=True)
class Cut:
    """``source`` is the file's name in the folder, ``origin`` where it comes from, ``operations`` are paths and methods."""

    name: str
    source: str
    origin: str
    licence: str
    operations: tuple[tuple[str, str], ...]


CUTS = (
    Cut(
        "sendgrid", "sendgrid_mail_v3.json", "github.com/twilio/sendgrid-oai spec/json/tsg_mail_v3.json", "MIT",
        (("/v3/mail/send", "post"),),
    ),
    Cut(
        "sendgrid_activity", "sendgrid_email_activity_v3.json",
        "github.com/twilio/sendgrid-oai spec/json/tsg_email_activity_v3.json", "MIT",
        (("/v3/messages", "get"),),
    ),
    Cut(
        "twilio", "twilio_api_v2010.json", "github.com/twilio/twilio-oai spec/json/twilio_api_v2010.json", "Apache-2.0",
        (
            ("/2010-04-01/Accounts/{AccountSid}/Messages.json", "post"),
            ("/2010-04-01/Accounts/{AccountSid}/Messages.json", "get"),
            ("/2010-04-01/Accounts/{AccountSid}/Calls.json", "post"),
            ("/2010-04-01/Accounts/{AccountSid}/Calls.json", "get"),
        ),
    ),
    Cut(
        "discord", "discord_openapi.json", "github.com/discord/discord-api-spec specs/openapi.json", "MIT",
        (
            ("/webhooks/{webhook_id}/{webhook_token}", "post"),
            ("/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "patch"),
        ),
    ),
)  # fmt: skip


def cut(whole: Any, made: Cut) -> dict[str, Any]:
    """Return the part of a document that is used."""
    paths: dict[str, Any] = {}
    for path, method in made.operations:
        item = paths.setdefault(path, {key: value for key, value in whole["paths"][path].items() if key not in METHODS})
        operation = whole["paths"][path][method]
        item[method] = operation | {"responses": {status: {} for status in operation["responses"]}}
    paths = _bare(paths)
    for path, method in made.operations:
        for status in (answers := paths[path][method]["responses"]):
            answers[status] = {"description": status}  # OpenAPI wants one
    kept: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": {**_bare(whole["info"]), "x-origin": made.origin, "x-licence": made.licence},
        "servers": _bare(whole["servers"]),
        "paths": paths,
    }
    if "security" in whole:
        kept["security"] = whole["security"]
    components: dict[str, Any] = {"securitySchemes": _bare(whole["components"].get("securitySchemes", {}))}
    waiting = sorted(set(_references(kept["paths"])))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _bare(whole["components"][kind][name])
            waiting += sorted(set(_references(components[kind][name])))
    kept["components"] = components
    return kept


def _bare(value: Any, *, names: bool = False) -> Any:
    match value:
        case dict():
            return {
                key: _bare(inner, names=not names and key in _OF_NAMES)
                for key, inner in value.items()
                if names or not (key in _PROSE or key.startswith("x-"))
            }
        case list():
            return [_bare(inner) for inner in value]
        case _:
            return value


def _references(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)
        case _:
            pass


def main(folder: Path) -> None:
    """Cut every document that lies in a folder."""
    for made in CUTS:
        if (folder / made.source).exists():
            part = cut(json.loads((folder / made.source).read_text("utf-8")), made)
            text = json.dumps(part, indent=1, sort_keys=True, ensure_ascii=False)
            (DOCUMENTS / f"{made.name}.json").write_text(text + "\n", "utf-8")
            print(f"{made.name}: {len(text)} characters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""From what a validator found wrong with a request to the problem that its sender reads; it knows no framework."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from streams.runtime.problems import FieldError, ProblemError

_MOST = 50
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "json_invalid": "is not JSON",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def problem_of(errors: Sequence[Mapping[str, Any]]) -> ProblemError:
    """Return the problem that names every wrong field; never quotes what was sent.

    ``errors`` are pydantic's: mappings with ``loc``, ``type`` and ``msg``.
    """
    return invalid_fields(tuple(FieldError(field_path(one["loc"]), _message(one)) for one in errors[:_MOST]))


def invalid_fields(errors: tuple[FieldError, ...]) -> ProblemError:
    """Return the problem of several wrong fields (400)."""
    detail = "; ".join(f"{one.field}: {one.message}" for one in errors)
    return ProblemError(400, "Invalid request", detail, errors=errors)


def field_path(location: Iterable[int | str]) -> str:
    """Return a place as people write it: ``affects[0].component``, ``query.limit``, ``body`` for the whole."""
    where, *inside = location
    if where == "body":
        names = [step for step in inside if not (isinstance(step, int) and step is inside[0])]
    else:
        names = [where, *inside]
    path = ""
    for name in names:
        path += f"[{name}]" if isinstance(name, int) else f".{name}" if path else str(name)
    return path or "body"


def _message(error: Mapping[str, Any]) -> str:
    kind = str(error["type"])
    if kind in _WORDS:
        return _WORDS[kind]
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]

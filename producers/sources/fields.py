"""Forces untrusted JSON to a type, field by field, and bounds it. Knows no monitor.

Bounds: 16,384 characters a value, 1,024 a title or a label's name, 256 labels. What is beyond is cut, with a warning.
"""

from collections.abc import Callable, Iterable

from producers.sources.body import write_json

MAX_TEXT = 16_384
MAX_NAME = 1_024
MAX_TITLE = 1_024
MAX_LABELS = 256

Warn = Callable[[str], None]
Json = dict[str, object]


def text(value: object) -> str:
    """Return any JSON value as text: strings as they are, null as nothing, integers exactly, objects as JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
    if isinstance(value, int):
        return str(value)
    return (write_json(value) or b"").decode()


def first_text(item: Json, names: Iterable[str]) -> str:
    """Return the first of the named fields that is not blank, as text; nothing if all are."""
    for name in names:
        found = text(item.get(name)).strip()
        if found:
            return found
    return ""


def title(*candidates: str) -> str:
    """Return the first candidate that is not blank, on one line, cut to 1,024 characters."""
    for candidate in candidates:
        if candidate.isprintable() and len(candidate) <= MAX_TITLE:
            line = candidate.strip()
        else:
            line = " ".join(candidate[: 4 * MAX_TITLE].split())
        if line:
            return line if len(line) <= MAX_TITLE else f"{line[: MAX_TITLE - 1]}…"
    return ""


def http_url(*candidates: object) -> str:
    """Return the first candidate that is an absolute http(s) URL of bounded length without spaces; else nothing."""
    for candidate in candidates:
        if type(candidate) is str and candidate.startswith(("https://", "http://")) and len(candidate) <= MAX_TEXT:
            return candidate if candidate.isprintable() and " " not in candidate else ""
    return ""


def string_map(value: object, name: str, warn: Warn) -> dict[str, str]:
    """Return an object as text by text, within the bounds; anything but an object is empty, with a warning.

    The ordinary object, all text and within the bounds as a whole, is returned itself.
    """
    if type(value) is dict:
        return value if _is_ordinary(value) else bounded(forced(value), name, warn)
    if value is not None:
        warn(f"{name} is not an object and was dropped")
    return {}


def _is_ordinary(value: dict[str, str]) -> bool:
    # Joining is the cheapest way to look at all types and lengths: every alert passes here twice.
    try:
        return len(value) <= MAX_LABELS and len("".join(value)) <= MAX_NAME and len("".join(value.values())) <= MAX_TEXT
    except TypeError:
        return False


def forced(value: Json) -> dict[str, str]:
    """Return an object's members as text, without those that are null."""
    return {name: text(member) for name, member in value.items() if member is not None}


def bounded(labels: dict[str, str], name: str, warn: Warn) -> dict[str, str]:
    """Return ``labels`` within the bounds, with a warning for each thing that was cut."""
    if len(labels) > MAX_LABELS:
        warn(f"{name}: {len(labels) - MAX_LABELS} of {len(labels)} members were cut")
        labels = dict(list(labels.items())[:MAX_LABELS])
    return {key[:MAX_NAME]: _cut(f"{name}.{key}", value, warn) for key, value in labels.items()}


def _cut(name: str, value: str, warn: Warn) -> str:
    if len(name) > MAX_NAME:
        warn(f"{name[:64]}…: a name of {len(name)} characters was cut")
    if len(value) <= MAX_TEXT:
        return value
    warn(f"{name[:64]}: {len(value) - MAX_TEXT} of {len(value)} characters were cut")
    return value[:MAX_TEXT]

"""Plain words from templates: Jinja2 in its sandbox, with the few variables that a template may use."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from humanize import precisedelta
from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.events import Micros, TemplateDefined

MAX_LENGTH = 10_000
"""Characters that a rendered text may have; the rest is cut."""


class TemplateFaultError(ValueError):
    """A template could not be filled; the message says why."""


class Named(msgspec.Struct, frozen=True):
    """A component or region as templates see it: ``{{ region.name }}``, ``{{ component.id }}``."""

    id: str
    name: str

    def __str__(self) -> str:
        return self.name


class Words(msgspec.Struct, frozen=True):
    """What templates may speak of. ``region`` is the new one, ``regions`` all that are affected."""

    component: Named
    region: Named | None
    regions: list[Named]
    labels: dict[str, str]
    alert: dict[str, str]
    next_update: str
    duration: str


_ONE_LABEL = re.compile(r"\{\{ ?labels\.([a-z][a-z0-9_]*) ?\}\}")


def sandbox() -> ImmutableSandboxedEnvironment:
    """Return the environment in which templates are read, here and where a configuration is checked."""
    environment = ImmutableSandboxedEnvironment(autoescape=False)
    # A fold says the same words whenever it is asked: nothing in it may throw dice.
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


_ENVIRONMENT = sandbox()
_LAST_SECOND = 253_370_764_800
"""The beginning of the year 9999: what lies behind it is no date."""


@lru_cache(maxsize=2_000)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


@lru_cache(maxsize=2_000)
def _only_label(source: str) -> str | None:
    """Return the name in ``{{ labels.name }}``: the rule of nearly every alert, which needs no engine to be filled."""
    found = _ONE_LABEL.fullmatch(source)
    return None if found is None or hasattr(dict, found[1]) else found[1]


def fill(source: str, values: Mapping[str, Any]) -> str:
    """Render ``source``; raises TemplateFaultError. Values are data: what they hold is never read as a template."""
    if "{" not in source:
        return source
    if (label := _only_label(source)) is not None and isinstance(found := values["labels"].get(label), str):
        return found[:MAX_LENGTH]
    try:
        return _writable(_compiled(source).render(values)[:MAX_LENGTH])
    except Exception as error:  # a template is a program: whatever it raises, no fold may stop at it
        raise TemplateFaultError(f"the template cannot be filled: {error}") from error


def _writable(text: str) -> str:
    """Return ``text`` with halves of surrogate pairs replaced: a template can spell them, an event cannot hold them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def title_of(template: TemplateDefined | None, words: Words) -> str:
    """Return the incident's title; a fault or a missing template falls back to plain words, never to nothing."""
    where = f" in {', '.join(region.name for region in words.regions)}" if words.regions else ""
    return _filled(None if template is None else template.title, words) or f"{words.component.name} is disturbed{where}"


def text_of(template: TemplateDefined | None, status: str, words: Words) -> str:
    """Return the text for an incident status; with the same fall-back."""
    own = None if template is None else template.texts.get(status)
    if text := _filled(own, words):
        return text
    if status == "resolved":
        return f"{words.component.name} works again."
    return f"{words.component.name} is disturbed. We will write again by {words.next_update}."


def _filled(source: str | None, words: Words) -> str:
    if source is None:
        return ""
    try:
        return fill(source, {name: getattr(words, name) for name in Words.__struct_fields__}).strip()
    except TemplateFaultError:
        return ""


def clock_time(at: Micros, timezone: str, now: Micros) -> str:
    """Return ``14:30 CET``, with the day before it where it is another one than ``now``'s."""
    zone = _zone(timezone)
    local = _moment(at, zone)
    same_day = local.date() == _moment(now, zone).date()
    return local.strftime("%H:%M %Z" if same_day else "%-d %B %H:%M %Z")


def _moment(at: Micros, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(min(max(at / 1_000_000, 0), _LAST_SECOND), zone)


@lru_cache(maxsize=200)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC  # a log may come from a machine that knows more zones


def in_words(duration: Micros) -> str:
    """Return ``12 minutes`` or ``1 hour and 5 minutes``; what is under a minute is seconds."""
    # The library counts back from today: longer than a century is nobody's outage, and soon before its first year.
    span = min(timedelta(seconds=max(0, duration // 1_000_000)), timedelta(days=36_525))
    if span < timedelta(minutes=1):
        return str(precisedelta(span, minimum_unit="seconds", format="%d"))
    return str(precisedelta(span, minimum_unit="minutes", format="%d"))


def utc(at: Micros) -> datetime:
    """Return ``at`` as an aware datetime."""
    return datetime.fromtimestamp(at / 1_000_000, UTC)

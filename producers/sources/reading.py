"""Collects what one body gives while a source reads it; decides nothing about what alerts mean."""

from typing import cast

from producers.sources.body import UnreadableError, read_json, write_json
from producers.sources.fields import Json
from producers.sources.source import Alert, Parsed, Problem, RawRequest
from producers.sources.times import read_time
from schemas.events import Micros

MAX_PROBLEMS = 100
MAX_WARNINGS = 100
MAX_MEMBERS = 50_000
"""A body of 5 MiB holds about 20,000 real alerts; far smaller ones are made to keep us busy."""


class Reading:
    """One body being read. Beyond 100 unreadable parts the whole body is the one problem: it is kept either way."""

    __slots__ = ("_problems", "_refused", "_unsaid", "_warnings", "alerts", "ignored", "request")

    def __init__(self, request: RawRequest) -> None:
        self.request = request
        self.alerts: list[Alert] = []
        self.ignored = 0
        self._problems: list[Problem] = []
        self._refused = 0
        self._warnings: list[str] = []
        self._unsaid = 0

    def value(self) -> object:
        """Return the body's JSON value; None (which is no message) where it is unreadable, and a problem is noted."""
        try:
            value = read_json(self.request.body)
        except UnreadableError as error:
            self.refuse_all(str(error))
            return None
        if value is None:
            self.refuse_all("the body is null")
        return value

    def json_object(self) -> Json | None:
        """Return the body as an object, or None after noting a problem."""
        value = self.value()
        if value is None or isinstance(value, dict):
            return value
        self.refuse_all("the body is not an object")
        return None

    def members(self, body: Json, name: str) -> list[object]:
        """Return the list that ``body`` holds under ``name`` (null is an empty one), or nothing after noting a problem."""
        members = body.get(name, ...)
        if members is None:
            return []
        if isinstance(members, list):
            return self.within_bounds(members)
        self.refuse_all(f"{name} is missing" if members is ... else f"{name} is not a list")
        return []

    def within_bounds(self, members: list[object]) -> list[object]:
        """Return ``members``, or nothing after noting a problem where there are more than 50,000."""
        if len(members) <= MAX_MEMBERS:
            return members
        self.refuse_all(f"{len(members)} members are more than the {MAX_MEMBERS} that one body may have")
        return []

    def take(self, alert: Alert | None) -> None:
        """Keep an alert; None is one that has been refused or ignored already."""
        if alert is not None:
            self.alerts.append(alert)

    def refuse(self, reason: str, part: object) -> None:
        """Note that a part of the body cannot be understood."""
        self._refused += 1
        if self._refused <= MAX_PROBLEMS:
            self._problems.append(Problem(reason, write_json(part) or self.request.body))

    def refuse_all(self, reason: str) -> None:
        """Note that the body as a whole cannot be understood."""
        self._refused += 1
        self._problems.append(Problem(reason, self.request.body))

    def warn(self, warning: str) -> None:
        """Note something that was cut or dropped; the first hundred are told, the rest counted."""
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(warning)
        else:
            self._unsaid += 1

    def time(self, item: Json, *names: str) -> Micros | None:
        """Return the first of the named times that is there; an unreadable one counts as absent, with a warning."""
        for name in names:
            try:
                found = read_time(item.get(name))
            except ValueError:
                self.warn(f"{name} is not a time and was dropped")
                continue
            if found is not None:
                return found
        return None

    def parsed(self) -> Parsed:
        """Return the result; a body that holds nothing at all counts as ignored."""
        problems, warnings = self._problems, self._warnings
        if self._refused > MAX_PROBLEMS:
            problems = [Problem(f"{self._refused} parts cannot be understood: {problems[0].reason}", self.request.body)]
        if self._unsaid:
            warnings = [*warnings, f"and {self._unsaid} more warnings"]
        nothing = not (self.alerts or problems or self.ignored)
        return Parsed(self.alerts, problems, 1 if nothing else self.ignored, warnings)


def as_object(value: object) -> Json:
    """Return a nested object; anything else is an empty one."""
    return cast(Json, value) if isinstance(value, dict) else {}

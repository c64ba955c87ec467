"""The recorded outage: who listens, what the monitors posted, and its bodies moved to another time. It sends nothing."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, TypeAlias

import msgspec
import yaml

from schemas.vocabulary import Impact, IncidentStatus

FILE = "outage.yaml"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?")
_SECONDS = frozenset({"state_changed_timestamp"})
"""Keys whose number is a Unix time in seconds."""
_NO_TIME = "0001-"
"""How Go writes "never"."""


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invented subscriber; ``cells=None`` follows everything."""

    name: str
    email: str
    follows: str
    cells: list[dict[str, str]] | None = None
    min_impact: Impact | None = None


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="does", kw_only=True):
    """Something that happened ``at`` minutes after the beginning; ``tells`` names those whom a mail reaches."""

    at: int
    says: str
    means: str
    tells: list[str] = []


class Post(Step, frozen=True, tag="post", kw_only=True):
    """A monitor posted a body."""

    source: str
    body: dict[str, Any]


class Approve(Step, frozen=True, tag="approve", kw_only=True):
    """A person approved the draft on a component."""

    component: str


class Update(Step, frozen=True, tag="update", kw_only=True):
    """A person wrote an update of the open incident on a component."""

    component: str
    status: IncidentStatus
    message: str
    next_update_in: str


AnyStep: TypeAlias = Post | Approve | Update


class Recording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole outage; steps are in the order of their time."""

    began: datetime
    cast: list[Person]
    steps: list[AnyStep]

    @property
    def minutes(self) -> int:
        """How long it took."""
        return self.steps[-1].at

    def mails_to(self, name: str) -> int:
        """Return how many mails somebody of the cast gets."""
        return sum(name in step.tells for step in self.steps)


def load_recording() -> Recording:
    """Load the recording that comes with the package."""
    return msgspec.convert(yaml.safe_load((files("tocsin.demo") / FILE).read_text("utf-8")), Recording)


class Shift:
    """Moves recorded times: the recording's beginning becomes ``start``, and time passes ``speed`` times as fast."""

    def __init__(self, began: datetime, start: datetime, speed: float) -> None:
        self._began = began
        self._start = start
        self._speed = speed

    def time(self, recorded: datetime) -> datetime:
        """Return when ``recorded`` happens now."""
        return self._start + (recorded - self._began) / self._speed

    def after(self, minutes: float) -> timedelta:
        """Return how long after the start a step is due."""
        return timedelta(minutes=minutes) / self._speed

    def body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a body with all of its times moved."""
        return {key: self._value(key, value) for key, value in body.items()}

    def _value(self, key: str, value: Any) -> Any:
        match value:
            case dict():
                return self.body(value)
            case list():
                return [self._value(key, item) for item in value]
            case str() if _TIME.fullmatch(value) and not value.startswith(_NO_TIME):
                return self._text(value)
            case int() if key in _SECONDS:
                return int(self.time(datetime.fromtimestamp(value, UTC)).timestamp())
            case _:
                return value

    def _text(self, text: str) -> str:
        recorded = datetime.fromisoformat(text)
        if recorded.tzinfo is None:  # Pingdom writes UTC without saying so
            return self.time(recorded.replace(tzinfo=UTC)).replace(tzinfo=None).isoformat(timespec="seconds")
        return self.time(recorded).isoformat(timespec="milliseconds").replace("+00:00", "Z")

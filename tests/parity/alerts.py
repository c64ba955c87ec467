"""What monitors say in a history: firing, repeats, late and stale firings, ends without beginnings, leases, replicas.

Alerts are judged as an intake judges them; often by what it knew some time ago, for there are many of them.
"""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from producers.intake.judging import Origin, Verdicts
from producers.sources.source import Alert
from schemas.events import AnyEvent, Micros
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.episodes import EPISODES, INSTANCES, Instance, table_key
from streams.domain.processor import Output
from streams.domain.state import memory_state
from tests.parity import world

INSTANCES_OF_PAGE = 18
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
DAY: Micros = 24 * 60 * MINUTE


class Monitors:
    """The alert instances of one page."""

    def __init__(self, random: Random, page: str) -> None:
        self._random = random
        self._page = page
        self._instances: dict[str, tuple[str, str, dict[str, str]]] = {}
        for number in range(INSTANCES_OF_PAGE):
            source, fingerprint = world.SOURCES[number % 3], f"i{number}"
            labels = world.labels(random, number)
            self._instances[table_key(source, fingerprint)] = source, fingerprint, labels
        self._said: set[str] = set()
        self._earlier: dict[str, list[Instance]] = {}

    @property
    def keys(self) -> list[str]:
        """The keys under which instances are known."""
        return list(self._instances)

    def say(self, key: str, known: Mapping[str, Instance], now: Micros) -> AnyEvent | None:
        """Let an instance say something; None where the intake finds no news in it."""
        source = self._instances[key][0]
        current = known.get(key)
        alert = self._alert(key, current, now)
        believed = self._believed(key, current)
        digest = f"{self._random.getrandbits(256):064x}"
        verdicts = Verdicts(Origin(self._page, source, digest, now), {} if believed is None else {key: believed})
        verdicts.judge_all([key], [alert])
        if not verdicts.events:
            return None
        [event] = verdicts.events
        # What is said under one id says one thing: whoever says it again (``History``) repeats it word for word.
        return None if event.id in self._said else event

    def note(self, event: AnyEvent) -> None:
        """Remember that this was said indeed."""
        self._said.add(event.id)

    def _believed(self, key: str, current: Instance | None) -> Instance | None:
        """Return what the intake knows of an instance: what is so, what was so once, or nothing."""
        past = self._earlier.setdefault(key, [])
        if current is not None and (not past or past[-1] != current):
            past.append(current)
            del past[:-4]
        match self._random.random():
            case chance if chance < 0.7:
                return current
            case chance if chance < 0.9 and past:
                return self._random.choice(past)
            case _:
                return None

    def _alert(self, key: str, current: Instance | None, now: Micros) -> Alert:
        source, fingerprint, labels = self._instances[key]
        random = self._random
        severity = Severity(random.choice(world.SEVERITIES))
        fires = random.random() < (0.45 if current is not None and current.ended_at is None else 0.85)
        alert = Alert(
            fingerprint=fingerprint,
            status=AlertStatus.FIRING if fires else AlertStatus.RESOLVED,
            severity=severity if current is None or random.random() < 0.4 else current.severity,
            starts_at=self._start(current, now),
            ends_at=None if fires else self._end(current, now),
            expires_at=self._expiry(now) if fires and source in world.LEASING else None,
            title=f"{labels['service']} in {labels['region']} is ill",
            labels={**labels, "replica": random.choice("ab")},
            annotations={"summary": f"measured {random.randrange(100)} %"},
            url="",
        )
        return replace(alert, test=random.random() < 0.02, inconclusive=not fires and random.random() < 0.05)

    def _start(self, current: Instance | None, now: Micros) -> Micros | None:
        random = self._random
        recent = now - random.randrange(10 * MINUTE)
        if current is None:
            return random.choice([recent, recent, None, now + random.randrange(MINUTE), now - 3 * DAY])
        same = current.started_at
        return random.choice(
            [same, same, same, recent, recent, same + random.randrange(-2, 3) * SECOND, same - MINUTE, None]
        )

    def _end(self, current: Instance | None, now: Micros) -> Micros | None:
        start = now - MINUTE if current is None else current.started_at
        random = self._random
        return random.choice([now, now, now - random.randrange(2 * MINUTE), None, start - SECOND, now + 5 * SECOND])

    def _expiry(self, now: Micros) -> Micros:
        # To the microsecond at random: two timers of a page that are due at once may fire in either order.
        return now + self._random.randrange(2 * MINUTE, 40 * MINUTE)


class Effect(NamedTuple):
    """What the fold of episodes makes of an alert: whether it ignores it, and whether it tells the page of it."""

    ignored: bool
    silent: bool


def effect_of(page: str, known: Mapping[str, Instance], event: AnyEvent) -> Effect:
    """Return what becomes of an alert in this state."""
    state = memory_state(EPISODES.tables)
    for key, instance in known.items():
        state[INSTANCES].fill(page, key, instance)
    out = Output(event)
    EPISODES.step(state, event, out)
    return Effect(out.ignored is not None, not out.emitted)

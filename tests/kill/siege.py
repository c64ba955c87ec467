"""A Tocsin under load that is killed again and again on the same folder, and what is known of it at the end."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import yaml

from streams.runtime.failpoints import VARIABLE
from tests.kill.evidence import Evidence
from tests.kill.invariants import Record
from tests.kill.load import REGIONS, SERVICES, Monitor, Operator, Sender
from tests.kill.moods import outside_for
from tests.parts.processes import wait_for
from tests.parts.tocsin import PAGE, Spawn, Tocsin, spawn

CHANNELS = ("email", "webhook")
READERS = 6
_MONITORS = 3
_OPERATORS = 2
_SHORTEST, _LONGEST = 0.2, 1.5
"""How long a life lasts that is ended at random, in seconds."""
_MOST_PASSES = 12


class Siege:
    """One folder, one channel, one seed."""

    def __init__(self, tocsin: Tocsin, channel: str, seed: int, outside: Any) -> None:
        self.tocsin = tocsin
        self.channel = channel
        self.kills = 0
        self._random = Random(seed)
        self._outside = outside
        self._monitors = [Monitor(tocsin.url, seed, number) for number in range(_MONITORS)]
        self._operators = [Operator(tocsin.url, seed, number) for number in range(_MONITORS, _MONITORS + _OPERATORS)]
        self._audit = AuditLog(tocsin)

    def begin(self) -> None:
        """Start the server, subscribe the readers, and let everybody loose."""
        self.tocsin.start()
        for number in range(READERS):
            wanted = self._outside.endpoint(number) | {"confirmed": True} | wanted_by(number)
            answer = self.tocsin.post("subscribers", wanted, by="ops")
            assert answer.status_code == 201, answer.text
        for sender in self._senders():
            sender.start()

    def kill_at_random(self) -> None:
        """Let the server live for a random while and kill it wherever it is."""
        time.sleep(self._random.uniform(_SHORTEST, _LONGEST))
        self.tocsin.kill()
        self.kills += 1
        self.tocsin.start()

    def kill_at(self, failpoint: str) -> None:
        """Start the server so that it dies at a failpoint, and wait until it does."""
        self.tocsin.kill()
        self.tocsin.launch(**{VARIABLE: f"{failpoint}:{self._random.randint(1, _MOST_PASSES)}"})
        wait_for(f"a death at {failpoint}", lambda: not self.tocsin.is_alive)
        self.kills += 2  # the one that made room, and the one at the failpoint
        self.tocsin.start()

    def end(self) -> Evidence:
        """Let everybody finish, wait until all notifications have ended, and return what is known."""
        self._outside.calm_down()
        for sender in self._senders():
            sender.stop()
        for sender in self._senders():
            sender.join()
        with suppress(AssertionError):  # who did not come to an end is named by the judge
            wait_for("an end of all notifications", lambda: not Record(self._audit.read()).unfinished())
        return Evidence(
            acknowledged=frozenset().union(*(monitor.acknowledged for monitor in self._monitors)),
            event_ids=frozenset().union(*(monitor.event_ids for monitor in self._monitors)),
            said=frozenset().union(*(monitor.said for monitor in self._monitors)),
            commands=frozenset().union(*(operator.commands for operator in self._operators)),
            events=self._audit.read(),
            listed=self._listed(),
            received=self._outside.receipts(),
            shown=self._shown(),
            expected=self._expected(),
            complaints=[*self._outside.complaints(), *(one for sender in self._senders() for one in sender.complaints)],
        )

    def _senders(self) -> list[Sender]:
        return [*self._monitors, *self._operators]

    def _listed(self) -> dict[str, str]:
        return {
            delivery["notification"]: delivery["state"]
            for incident in self.tocsin.incidents()
            for delivery in self.tocsin.deliveries(incident["id"])
        }

    def _shown(self) -> dict[str, str]:
        components = self.tocsin.http.get("/api/v2/components.json").json()["components"]
        return {component["name"]: component["status"] for component in components if not component["group"]}

    def _expected(self) -> dict[str, str]:
        firing = {one.labels["service"] for monitor in self._monitors for one in monitor.firing}
        names = [f"svc-{number}" for number in range(SERVICES)]
        return {name: "major_outage" if name in firing else "operational" for name in names}


class AuditLog:
    """The audit log as it grows: what was read is not asked for again."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin
        self._whole: list[dict[str, Any]] = []
        self._cursor = ""

    def read(self) -> list[dict[str, Any]]:
        """Return all events up to now."""
        while True:
            answer = self._tocsin.get("events", after=self._cursor, limit=1000)
            if answer["next"] is None:
                return [*self._whole, *answer["events"]]
            self._whole += answer["events"]
            self._cursor = answer["next"]


@contextmanager
def siege(folder: Path, channel: str, seed: int, spawned: Spawn = spawn) -> Iterator[Siege]:
    """Yield a siege that has begun."""
    with ExitStack() as world:
        outside = world.enter_context(outside_for(channel, seed))
        made = Siege(Tocsin(folder, configuration({channel: outside}), spawned=spawned), channel, seed, outside)
        world.callback(made.tocsin.http.close)
        world.callback(made.tocsin.kill)
        try:
            made.begin()
            yield made
        finally:
            for sender in made._senders():
                sender.stop()


def configuration(outsides: Mapping[str, Any]) -> str:
    """Return a page of many services, each with a rule that publishes at once; ``outsides`` are who is told, by channel."""
    settings = {
        channel: {"via": outside.url, "from": "Acme Status <status@acme.example>"}
        if channel == "email"
        else {"allow_networks": ["127.0.0.0/8"]}
        for channel, outside in outsides.items()
    }
    return configured(settings)


def configured(channels: Mapping[str, Any]) -> str:
    """Return the same page with these settings of channels."""
    names = [f"svc-{number}" for number in range(SERVICES)]
    page = {
        "page": {"id": PAGE, "name": "Acme Cloud", "url": "http://status.example"},
        "regions": [{"id": region, "name": region.upper()} for region in REGIONS],
        "components": [
            {
                "id": "all",
                "name": "All services",
                "components": [{"id": name, "name": name, "regions": list(REGIONS)} for name in names],
            }
        ],
        "sources": [{"id": "prom", "kind": "alertmanager", "token": "prom-secret"}],
        "rules": [
            {
                "id": name,
                "match": {"source": "prom", "labels": {"service": name}},
                "affects": {"component": name, "region": "{{ labels.region }}"},
                "status": "major_outage",
                "publish": "auto",
                "template": "errors",
            }
            for name in names
        ],
        "templates": {
            "errors": {
                "title": "{{ component.name }} fails",
                "investigating": "{{ component.name }} fails in {{ region.name }}.",
                "resolved": "{{ component.name }} works again.",
            }
        },
        "channels": dict(channels),
        "operators": [{"name": "ops", "role": "operator", "token": "ops-secret"}],
    }
    return yaml.safe_dump(page)


def wanted_by(number: int) -> dict[str, Any]:
    """Return what a reader wants: everything, one region, or some services."""
    match number % 3:
        case 0:
            return {}
        case 1:
            return {"cells": [{"component": "all", "region": "eu"}]}
        case _:
            return {"cells": [{"component": f"svc-{(number + step) % SERVICES}"} for step in range(4)]}

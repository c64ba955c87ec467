"""Senders that never give up: monitors that post alerts and operators who command, from threads of their own.

Each is as patient as real ones are: it says the same thing again until it is answered.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import httpx

from tests.builders.alertmanager import Alert, alert, body
from tests.kill.evidence import Said
from tests.parts.tocsin import PAGE, TOKENS

SERVICES = 12
REGIONS = ("eu", "us")
_PAUSE = 0.05
_TIMEOUT = 15.0
_TWINS = 0.3
"""How often both of a pair of Alertmanagers say the same at once."""


class Sender(threading.Thread):
    """Says things until it is told to stop, and then finishes what it began."""

    def __init__(self, url: str, seed: int, number: int) -> None:
        super().__init__(daemon=True)
        self.complaints: list[str] = []
        self.number = number
        self.random = Random(seed * 1000 + number)
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Say nothing new."""
        self._stopping.set()

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.act()
                self._stopping.wait(self.random.uniform(*self.pauses))
            self.finish()
        except Exception as error:
            self.complaints.append(f"{type(self).__name__} {self.number}: {error!r}")
            raise
        finally:
            self._client.close()

    pauses = (0.02, 0.2)

    def act(self) -> None:
        """Do one thing."""
        raise NotImplementedError

    def finish(self) -> None:
        """End what was begun."""
        raise NotImplementedError

    def insist(
        self,
        path: str,
        document: Any,
        headers: dict[str, str],
        again: Sequence[int] = (503,),
        fine: Sequence[int] = (),
    ) -> httpx.Response:
        """POST until there is an answer other than ``again``; one that is no success, nor ``fine``, is complained of."""
        while True:
            try:
                answer = self._client.post(path, json=document, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in again:
                break
            self._rest()
        if not (answer.is_success or answer.status_code in fine):
            self.complaints.append(f"{path}: {answer.status_code} {answer.text}")
        return answer

    def _rest(self) -> None:
        threading.Event().wait(_PAUSE)


class Monitor(Sender):
    """An Alertmanager: groups of alerts, each said until it is acknowledged, sometimes by two replicas at once."""

    def __init__(self, url: str, seed: int, number: int) -> None:
        super().__init__(url, seed, number)
        self.said: set[Said] = set()
        self.acknowledged: set[Said] = set()
        self.event_ids: set[str] = set()
        self.firing: list[Alert] = []
        self._count = 0

    def act(self) -> None:
        if self.random.random() < 0.55 or not self.firing:
            fresh = [self._alert() for _ in range(self.random.randint(1, 12))]
            repeats = self.random.sample(self.firing, min(3, len(self.firing)))
            self._say([*fresh, *repeats])
            self.firing += fresh
        else:
            some = self.random.sample(self.firing, self.random.randint(1, 1 + len(self.firing) // 3))
            self._say([one.resolved() for one in some])
            self.firing = [one for one in self.firing if one not in some]

    def finish(self) -> None:
        """Resolve most of what fires; a few go on."""
        kept = [one for one in self.firing if self.random.random() < 0.1]
        if over := [one.resolved() for one in self.firing if one not in kept]:
            self._say(over)
        self.firing = kept

    def _alert(self) -> Alert:
        self._count += 1
        service = f"svc-{self.random.randrange(SERVICES)}"
        return alert(service, self.random.choice(REGIONS), pod=f"{self.number}-{self._count}")

    def _say(self, alerts: Sequence[Alert]) -> None:
        said = {Said(one.fingerprint, one.status) for one in alerts}
        self.said |= said
        headers = {"Authorization": "Bearer prom-secret"}

        def post(_: int) -> httpx.Response:
            return self.insist(f"/ingest/{PAGE}/prom", body(alerts), headers)

        replicas = 2 if self.random.random() < _TWINS else 1
        with ThreadPoolExecutor(replicas) as pool:
            for answer in pool.map(post, range(replicas)):
                if answer.status_code == 202:
                    self.event_ids.update(answer.json()["events"])
                    self.acknowledged |= said


class Operator(Sender):
    """A person with a script: incidents from beginning to end, each command under a key of its own."""

    pauses = (0.2, 0.6)

    def __init__(self, url: str, seed: int, number: int) -> None:
        super().__init__(url, seed, number)
        self.commands: set[str] = set()
        self._count = 0

    def act(self) -> None:
        cell = {"component": f"svc-{self.random.randrange(SERVICES)}", "region": self.random.choice(REGIONS)}
        document = {"title": "By hand", "status": "investigating", "affects": [{**cell, "status": "partial_outage"}]}
        incident = self._command("incidents", document)["id"]
        for status in (*self.random.sample(["identified", "monitoring"], self.random.randint(0, 2)), "resolved"):
            self._stopping.wait(self.random.uniform(0, 0.3))
            self._command(f"incidents/{incident}/updates", {"status": status})

    def finish(self) -> None:
        """Nothing is left open: an incident is begun and ended in one act."""

    def _command(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        text = f"command {self.number}-{self._count}"
        headers = {"Authorization": f"Bearer {TOKENS['ops']}", "Idempotency-Key": text}
        # An answer of 202 says that it is durable and not applied yet: until it is, nobody knows the incident.
        answer = self.insist(f"/api/v1/pages/{PAGE}/{path}", {**document, "body": text}, headers, again=(404, 503))
        self.commands.add(text)
        found: dict[str, Any] = answer.json()
        return found

"""An installation under load and under faults, and all that is known of it at the end."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from streams.log.port import event_of
from tests.faults.crew import CHANNELS
from tests.faults.installation import Installation, installation
from tests.faults.judge import FleetEvidence, Reader, copies_of
from tests.faults.load import Crowd, Monitor, Operator
from tests.faults.schedule import Misfortune, Report
from tests.kill.evidence import Evidence
from tests.kill.forge import FLEET, Forge
from tests.kill.load import SERVICES, Sender
from tests.kill.moods import Outside
from tests.kill.siege import READERS, wanted_by
from tests.parts.processes import wait_for
from tests.parts.tocsin import PAGE, TOKENS

_QUIET_SECONDS = 300.0
"""A hang ends here; orphans alone take two leases to be found."""


class Siege:
    """One installation, one seed."""

    def __init__(self, made: Installation, seed: int, report: Report) -> None:
        self.installation = made
        self.misfortune = Misfortune(made, seed, report)
        self.readers: list[Reader] = []
        self._report = report
        url = made.crew.api
        self._monitors = [Monitor(url, seed, number) for number in range(2)]
        self._operators = [Operator(url, seed, 2)]
        self._crowds = [Crowd(url, seed, number, lambda: list(made.outside.email.mails)) for number in (3, 4)]

    def begin(self) -> None:
        """Start everybody, subscribe the readers, and let the load loose."""
        self.installation.begin()
        for number in range(READERS):
            for channel in CHANNELS:
                self._subscribe(channel, number)
        for sender in self._senders:
            sender.start()

    def end(self) -> FleetEvidence:
        """Let everybody finish, wait until all is folded and every notification has ended, and return what is known."""
        made = self.installation
        self.misfortune.end()
        made.outside.calm_down()
        self.stop()
        for sender in self._senders:
            sender.join()
        self._report("the load has ended")
        with suppress(AssertionError):  # what did not come to an end is named by the judge
            wait_for("everything to come to rest", lambda: made.is_quiet() and made.is_quiet(), patience=_QUIET_SECONDS)
        self._report("all is quiet")
        return self._evidence()

    def stop(self) -> None:
        """Have nothing new said."""
        for sender in self._senders:
            sender.stop()

    @property
    def _senders(self) -> list[Sender]:
        return [*self._monitors, *self._operators, *self._crowds]

    def _subscribe(self, channel: str, number: int) -> None:
        outside: Outside = getattr(self.installation.outside, channel)
        headers = {"Authorization": f"Bearer {TOKENS['ops']}"}
        endpoint, wanted = outside.endpoint(number), wanted_by(number)
        document = endpoint | {"confirmed": True} | wanted
        answer = self.installation.http.post(f"/api/v1/pages/{PAGE}/subscribers", json=document, headers=headers)
        assert answer.status_code in (201, 202), answer.text
        [address] = endpoint.values()
        # A receiver of webhooks knows its paths only.
        named = urlsplit(address).path if channel == "webhook" else address
        self.readers.append(Reader(answer.json()["id"], named, wanted.get("cells")))

    # --- evidence ---

    def _evidence(self) -> FleetEvidence:
        made = self.installation
        records = [stored.record for stored in made.records()]
        once = {record.id: record for record in reversed(records)}
        first = dict.fromkeys(record.id for record in records)
        events = [
            {"id": id_, "type": once[id_].type, "recorded_at": once[id_].recorded_at, "data": _data(once[id_])}
            for id_ in first
        ]
        return FleetEvidence(
            evidence=self._usual(events),
            copies=copies_of(record.id for record in records),
            threads=made.threads(),
            readers=self.readers,
            people=[person for crowd in self._crowds for person in crowd.people],
            plans_at_wipes=made.plans_at_wipes,
            plans=made.plans(),
        )

    def _usual(self, events: list[dict[str, Any]]) -> Evidence:
        made, monitors = self.installation, self._monitors
        outsides = (made.outside.email, made.outside.webhook)
        return Evidence(
            acknowledged=frozenset().union(*(monitor.acknowledged for monitor in monitors)),
            event_ids=frozenset().union(*(monitor.event_ids for monitor in monitors)),
            said=frozenset().union(*(monitor.said for monitor in monitors)),
            commands=frozenset().union(*(operator.commands for operator in self._operators)),
            events=events,
            listed=self._listed(),
            received=[receipt for outside in outsides for receipt in outside.receipts()],
            shown=self._shown(),
            expected=self._expected(),
            complaints=[
                *(one for outside in outsides for one in outside.complaints()),
                *(one for sender in self._senders for one in sender.complaints),
                *made.crew.faults,
                *self.misfortune.complaints,
            ],
        )

    def _listed(self) -> dict[str, str]:
        made = self.installation
        return {
            delivery["notification"]: delivery["state"]
            for incident in made.all_of("incidents", "incidents")
            for delivery in made.all_of(f"incidents/{incident['id']}/deliveries", "deliveries")
        }

    def _shown(self) -> dict[str, str]:
        components = self.installation.http.get("/api/v2/components.json").json()["components"]
        return {component["name"]: component["status"] for component in components if not component["group"]}

    def _expected(self) -> dict[str, str]:
        firing = {one.labels["service"] for monitor in self._monitors for one in monitor.firing}
        names = [f"svc-{number}" for number in range(SERVICES)]
        return {name: "major_outage" if name in firing else "operational" for name in names}


def _data(record: Any) -> Any:
    return msgspec.to_builtins(event_of(record).data)


@contextmanager
def siege(folder: Path, seed: int, report: Report) -> Iterator[Siege]:
    """Yield a siege that has begun."""
    with Forge(FLEET) as forge, installation(folder, seed, forge.spawn) as made:
        found = Siege(made, seed, report)
        try:
            found.begin()
            yield found
        finally:
            found.stop()

"""One installation with one channel that is killed at every failpoint in turn, an incident for each death."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from consumers.delivery.ledger_rules import id_prefix
from streams.runtime.failpoints import VARIABLE
from tests.kill.invariants import ENDED, Record
from tests.kill.load import SERVICES
from tests.kill.matrix.outside import Arrival, Outside, Road
from tests.kill.siege import AuditLog, configured
from tests.parts.processes import wait_for
from tests.parts.tocsin import Spawn, Tocsin

RESTARTS = ("once", "twice")
"""``once``: it dies of the opening, and comes to an end before the rest is told. ``twice``: it dies of what it finds, or of
the update, again."""
_EACH = frozenset({"before_send", "sent"})
"""Failpoints that are passed once for each request; the others once for all that is claimed or recorded together."""
_DEATH_PATIENCE = 45.0


@dataclass(frozen=True)
class Story:
    """One incident in three updates: what was done, what the log says of it, and what reached people.

    ``signs`` are words by which an update is known in a message, by the text that the operator gave it.
    """

    failpoint: str
    restart: str
    incident: str
    signs: Mapping[str, Sequence[str]]
    readers: Mapping[str, str]
    events: Sequence[Mapping[str, Any]]
    listed: Mapping[str, str]
    reasons: Mapping[str, str]
    arrived: Sequence[Arrival]
    seen: Sequence[Arrival]
    complaints: Sequence[str]


class Ward:
    """One folder, one way to run one channel. ``patience`` is how long notifications may take to end, in seconds."""

    patience = 90.0

    def __init__(self, tocsin: Tocsin, outside: Outside, road: Road) -> None:
        self.tocsin = tocsin
        self.outside = outside
        self.kills = 0
        self._channel = road.channel
        self._readers: dict[str, str] = {}
        self._audit = AuditLog(tocsin)
        self._stories = 0
        self._complaints: list[str] = []

    def begin(self) -> None:
        """Start the server and subscribe everybody."""
        self.tocsin.start()
        for address in self.outside.addresses:
            wanted = {"channel": self._channel, "address": address, "confirmed": True}
            answer = self.tocsin.post("subscribers", wanted, by="ops")
            assert answer.status_code == 201, answer.text
            self._readers[answer.json()["id"]] = address

    def story(self, failpoint: str, restart: str) -> Story:
        """Tell one incident; the server dies at ``failpoint`` on the way. Never raises for what breaks."""
        self._stories += 1
        self._complaints = []
        texts = [f"mark{self._stories}{letter}z" for letter in "abc"]
        opening, update, ending = texts
        cell = {"component": f"svc-{self._stories % SERVICES}", "region": "eu", "status": "partial_outage"}
        opened = {"title": "Matrix", "status": "investigating", "affects": [cell]}

        self._launch(failpoint)
        self._try("incidents", opened, opening)
        self._await_death(failpoint)
        if restart == "twice":
            self._launch(failpoint, count=1)
            incident = self._once_more("incidents", opened, opening)
            changed = {"status": "identified"}
            if incident is None:
                self._await_death(failpoint)
                self._launch()
                incident = self._insist("incidents", opened, opening)
            else:
                self._try(f"incidents/{incident}/updates", changed, update)
                self._await_death(failpoint)
                self._launch()
            self._insist(f"incidents/{incident}/updates", changed, update)
        else:
            self._launch()
            incident = self._insist("incidents", opened, opening)
            self._settle(incident, 1)
            self._insist(f"incidents/{incident}/updates", {"status": "identified"}, update)
        self._insist(f"incidents/{incident}/updates", {"status": "resolved"}, ending)
        self._settle(incident, 3)
        self._hear_reports(incident)
        return self._told(failpoint, restart, incident, texts)

    # --- its lives ---

    def _launch(self, failpoint: str = "", *, count: int = 2) -> None:
        """Kill what runs and start it, to die at a failpoint; return when it is ready, or dead already."""
        self._kill()
        several = failpoint in _EACH and count <= self._requests
        self._start({VARIABLE: f"{failpoint}:{count if several else 1}"} if failpoint else {})
        wait_for("readiness, or death", lambda: not self._is_alive or self._is_ready())
        assert failpoint or self._is_alive, self.tocsin.printed()

    def _kill(self) -> None:
        self.tocsin.kill()

    def _start(self, environment: Mapping[str, str]) -> None:
        self.tocsin.launch(**environment)

    @property
    def _is_alive(self) -> bool:
        return self.tocsin.is_alive

    def _is_ready(self) -> bool:
        try:
            return self.tocsin.http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    @property
    def _requests(self) -> int:
        """How many requests one update makes at least: a batch may be one."""
        return 1 if "sendgrid" in self.outside.settings else len(self.outside.addresses)

    def _await_death(self, failpoint: str) -> None:
        try:
            wait_for(f"a death at {failpoint}", lambda: not self._is_alive, patience=_DEATH_PATIENCE)
            self.kills += 1
        except AssertionError as error:
            self._complaints.append(str(error))

    # --- commands, each under a key of its own ---

    def _post(self, path: str, document: Mapping[str, Any], text: str) -> httpx.Response:
        return self.tocsin.post(path, {**document, "body": text}, by="ops", **{"Idempotency-Key": text})

    def _try(self, path: str, document: Mapping[str, Any], text: str) -> None:
        with suppress(httpx.TransportError):
            self._post(path, document, text)

    def _once_more(self, path: str, document: Mapping[str, Any], text: str) -> str | None:
        """Return the incident's id, None if the server died over it."""
        try:
            answer = self._post(path, document, text)
        except httpx.TransportError:
            return None
        return str(answer.json()["id"])

    def _insist(self, path: str, document: Mapping[str, Any], text: str) -> str:
        # An answer of 202 says that it is durable and not applied yet: until it is, a fleet's api knows no such incident.
        answer = wait_for("an answer", lambda: self._unless(404, self._post(path, document, text)))
        if not answer.is_success:
            self._complaints.append(f"{path}: {answer.status_code} {answer.text}")
        return str(answer.json().get("id", ""))

    @staticmethod
    def _unless(status: int, answer: httpx.Response) -> httpx.Response | None:
        return None if answer.status_code == status else answer

    # --- what comes of it ---

    def _events(self) -> Sequence[Mapping[str, Any]]:
        """Return all that lies on the log."""
        return self._audit.read()

    def _settle(self, incident: str, updates: int) -> None:
        def is_settled() -> bool:
            listed = [one["state"] for one in self.tocsin.deliveries(incident)]
            if len(listed) < updates * len(self._readers) or not ENDED.issuperset(listed):
                return False  # the whole log, which alone knows what is asked again, need not be read for that
            return not Record(about(self._events(), incident)).unfinished()

        with suppress(AssertionError):  # what has no end is named by the judge
            wait_for("an end of all notifications", is_settled, patience=self.patience)

    def _hear_reports(self, incident: str) -> None:
        """Let the vendor say what it says later, and wait until that has ended the doubts about what it took."""
        reports = self.outside.reports(self.tocsin.url)
        for report in reports:
            answer = self.tocsin.http.post(report.url, content=report.body, headers=dict(report.headers))
            if not answer.is_success:
                self._complaints.append(f"a report: {answer.status_code} {answer.text}")
        if reports:
            wait_for("the reports on the log", lambda: not self._doubted(incident), patience=self.patience)

    def _doubted(self, incident: str) -> bool:
        """Whether something is in doubt that a vendor with reports has."""
        events = about(self._events(), incident)
        record = Record(events)
        texts = texts_of(events)
        arrived = list(self.outside.arrived())
        return any(
            record.states.get(notification) == "in_doubt"
            and any(one.address == self._readers[who] and texts[update] in one.text for one in arrived)
            for notification, (update, who) in record.planned.items()
        )

    def _told(self, failpoint: str, restart: str, incident: str, texts: Sequence[str]) -> Story:
        deliveries = self.tocsin.deliveries(incident)
        ending = texts[-1]
        return Story(
            failpoint=failpoint,
            restart=restart,
            incident=incident,
            signs={text: (text, f"resolve {incident}") if text == ending else (text,) for text in texts},
            readers=dict(self._readers),
            events=about(self._events(), incident),
            listed={one["notification"]: one["state"] for one in deliveries},
            reasons={one["notification"]: one["reason"] or "" for one in deliveries},
            arrived=list(self.outside.arrived()),
            seen=list(self.outside.before_them()),
            complaints=[*self._complaints, *self.outside.complaints()],
        )


def about(events: Sequence[Mapping[str, Any]], incident: str) -> list[Mapping[str, Any]]:
    """Return the events about one incident, with claims and results of its notifications alone."""
    whole = id_prefix(incident, "")
    prefix = whole[: len(whole) // 2]  # the other half is the update's
    found: list[Mapping[str, Any]] = []
    for event in events:
        data = event["data"]
        match event["type"]:
            case "NotificationsClaimed":
                kept = {"notifications": [one for one in data["notifications"] if one.startswith(prefix)]}
            case "DeliveriesRecorded":
                kept = {"results": [one for one in data["results"] if one["notification"].startswith(prefix)]}
            case "NoticePublished":
                kept = {"notice": data["notice"]} if data["notice"]["subject_id"] == incident else {}
            case _:
                kept = data if incident in (data.get("subject_id"), data.get("incident")) else {}
        if any(kept.values()):
            found.append({**event, "data": {**data, **kept}})
    return found


def texts_of(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the text of each update that was published, by its id."""
    return {
        event["data"]["notice"]["update"]: event["data"]["notice"]["body"]
        for event in events
        if event["type"] == "NoticePublished"
    }


@contextmanager
def ward(folder: Path, road: Road, spawned: Spawn) -> Iterator[Ward]:
    """Yield an installation that has begun."""
    with road.opened() as outside:
        tocsin = Tocsin(folder, configured({road.channel: outside.settings}), spawned=spawned)
        made = Ward(tocsin, outside, road)
        try:
            made.begin()
            yield made
        finally:
            tocsin.kill()
            tocsin.http.close()

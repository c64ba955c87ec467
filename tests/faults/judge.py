"""What must hold of a fleet after its faults, beyond what the kill tests judge. Pure: from evidence to what is broken."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from consumers.delivery.ledger_rules import Thread
from tests.faults.load import Person
from tests.kill.evidence import Evidence
from tests.kill.invariants import Judgement, Record, judge

_INCIDENT = "incident"
_EVERYTHING = "all"
_EPISODES = ("EpisodeOpened", "EpisodeClosed")


class FleetRecord(Record):
    """The record where several senders claim the same: what became of each is the ledger's word, not the last event's."""

    def __init__(self, events: Iterable[Mapping[str, Any]], threads: Iterable[Thread]) -> None:
        super().__init__(events)
        items = [item for thread in threads for item in (*thread.planned, *thread.early)]
        self.states = {item.notification: item.state.value for item in items}
        self.waits = {item.notification: item.due is not None for item in items}


@dataclass(frozen=True)
class Reader:
    """A subscriber who is there from the beginning and stays; ``cells`` as a sign-up names them, None is everything.

    ``endpoint`` as ``Receipt`` names it.
    """

    subscriber: str
    endpoint: str
    cells: Sequence[Mapping[str, str]] | None

    def wants(self, changes: Sequence[Mapping[str, Any]]) -> bool:
        """Whether one of the changed cells is theirs."""
        if self.cells is None:
            return True
        return any(
            own["component"] in (_EVERYTHING, change["component"]) and own.get("region") in (None, change["region"])
            for own in self.cells
            for change in changes
        )


@dataclass(frozen=True)
class FleetEvidence:
    """``evidence.events`` has each id once; ``copies`` is how often each lies on the log.

    ``plans_at_wipes``: by update, whom it was planned for when Redis lost its data, and as it is in the end.
    """

    evidence: Evidence
    copies: Mapping[str, int]
    threads: Sequence[Thread]
    readers: Sequence[Reader]
    people: Sequence[Person]
    plans_at_wipes: Sequence[Mapping[str, frozenset[str]]]
    plans: Mapping[str, frozenset[str]]


def judge_fleet(found: FleetEvidence) -> Judgement:
    """Hold a fleet against everything that is promised."""
    record = FleetRecord(found.evidence.events, found.threads)
    events, late = _without_late(found.evidence.events)
    # They lie on the log, as was promised; what else is asked of alerts is asked of the first that says it.
    promised = found.evidence.event_ids - late
    judged = judge(replace(found.evidence, events=events, event_ids=promised), record)
    changed, wrongly = list(_of_wipes(found)), [*_of_readers(found), *_of_people(found), *_of_endpoints(found, record)]
    counts = {
        **judged.counts,
        "suppressed": sum(state == "suppressed" for state in record.states.values()),
        "copies on the log, passed over": sum(found.copies.values()) - len(found.copies),
        "said again under an id of their own, passed over": len(late),
        "plans before wipes": sum(map(len, found.plans_at_wipes)),
        "plans changed by wipes": len(changed),
        "told or left out wrongly": len(wrongly),
    }
    return Judgement(counts, (*judged.broken, *_of_episodes(found.evidence.events), *changed, *wrongly))


def _without_late(events: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], set[str]]:
    """Return the events but for alerts that say once more what another one said, and the ids of those.

    An intake that cannot know yet what is folded keeps an end as one that came late, under an id of its own. The
    folds pass over it, which the episodes must show.
    """
    kept: list[Mapping[str, Any]] = []
    said: set[tuple[str, str, str]] = set()
    late: set[str] = set()
    for event in events:
        data = event["data"]
        if event["type"] == "AlertReceived":
            what = (data["fingerprint"], data["status"], data["episode"])
            if what in said:
                late.add(event["id"])
                continue
            said.add(what)
        kept.append(event)
    return kept, late


def _of_episodes(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What was said twice had its effect once."""
    effects = Counter((event["type"], event["data"]["episode"]) for event in events if event["type"] in _EPISODES)
    for (kind, episode), count in effects.items():
        if count > 1:
            yield f"{kind} {count} times, under different ids: {episode}"


def _of_wipes(found: FleetEvidence) -> Iterator[str]:
    for before in found.plans_at_wipes:
        for update, recipients in before.items():
            now = found.plans.get(update, frozenset())
            if now != recipients:
                yield f"the plan of {update} changed: {sorted(recipients - now)} left it, {sorted(now - recipients)} came"


def _of_readers(found: FleetEvidence) -> Iterator[str]:
    """Compare the plans with who should be told: whoever chose a changed cell, and whoever was told before."""
    told: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    everybody = {reader.subscriber for reader in found.readers}
    for notice in _notices(found.evidence.events):
        subject, update = notice["subject_id"], notice["update"]
        if update in seen:
            continue
        seen.add(update)
        wanted = {reader.subscriber for reader in found.readers if reader.wants(notice["changes"])}
        told[subject] |= wanted
        planned = found.plans.get(update, frozenset()) & everybody
        if planned != told[subject]:
            yield (
                f"of {update} ({notice['title']}) {sorted(told[subject] - planned)} should have been told"
                f" and {sorted(planned - told[subject])} should not"
            )


def _notices(events: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for event in events:
        if event["type"] == "NoticePublished" and event["data"]["notice"]["kind"] == _INCIDENT:
            yield event["data"]["notice"]


def _of_people(found: FleetEvidence) -> Iterator[str]:
    """Nobody hears of incidents before they began to confirm, nor is planned after they left."""
    people = {person.subscriber: person for person in found.people}
    for event in found.evidence.events:
        data = event["data"]
        if event["type"] != "NotificationsPlanned" or data["kind"] != _INCIDENT:
            continue
        for one in data["recipients"]:
            person = people.get(one)
            if person is None:
                continue
            if person.began_to_confirm is None:
                yield f"{person.address} never confirmed and is planned for {data['update']}"
            if person.left is not None and event["recorded_at"] > person.left:
                yield f"{person.address} had left and is planned for {data['update']}"


def _of_endpoints(found: FleetEvidence, record: Record) -> Iterator[str]:
    """Everything that arrived was planned, for whoever has that endpoint."""
    endpoints = {reader.subscriber: reader.endpoint for reader in found.readers}
    endpoints |= {person.subscriber: person.address for person in found.people}
    for receipt in found.evidence.received:
        planned = record.planned.get(receipt.notification)
        if planned is None:
            yield f"nobody planned what {receipt.endpoint} got: {receipt.notification}"
        elif endpoints.get(planned[1]) != receipt.endpoint:
            yield f"{receipt.endpoint} got what was planned for {endpoints.get(planned[1])}: {receipt.notification}"


def copies_of(ids: Iterable[str]) -> dict[str, int]:
    """Return how often each id lies on the log."""
    return dict(Counter(ids))

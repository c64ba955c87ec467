"""Why a subscriber was told of an update, or was not, and what became of it. It decides nothing: verdicts come from ``plans``.

The plan on the log is the record of who was told, and the ledger holds it. The reason comes from the code that decides,
asked again about the subscriber as they stood when the update was published. Where that and the record part, the record
counts and the answer says so; where the subscriber stands otherwise today, it says that too. The tree of components
is today's.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from consumers.delivery import plans, verdicts
from consumers.delivery.audience import Match, Question
from consumers.delivery.history import History, Past
from consumers.delivery.plans import Verdict
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.reports import Addresses
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import Subscriber
from consumers.web.ports import Fate, Judgement, Reach, Standing, SubscriberWhy, Why
from schemas.events import Cell, Micros, Notice
from schemas.vocabulary import Kind, NotificationState
from streams.domain.model import Incident, Maintenance

Subject: TypeAlias = Incident | Maintenance
MEANINGS = {
    NotificationState.PLANNED: "waits for its turn",
    NotificationState.CLAIMED: "is in a sender's hands",
    NotificationState.SENT: "the provider took it",
    NotificationState.DELIVERED: "the provider says that it arrived",
    NotificationState.FAILED: "was refused for good, or given up",
    NotificationState.SUPPRESSED: "was not wanted any more",
    NotificationState.SUPERSEDED: "a newer update went instead",
    NotificationState.IN_DOUBT: "may have arrived, and nobody can tell",
}
"""The states of a notification in plain words, as docs/delivery.md has them."""


class _Message(NamedTuple):
    """An update, or a reminder, which has no ``number``; ``notice`` is None where nothing of it was published."""

    update: str
    number: int | None
    status: str
    at: Micros
    notice: Notice | None


class WhyReport:
    """Implements ``ports.Reasons`` over either engine's ledger and log."""

    def __init__(
        self, queue: DeliveryQueue, subscribers: SubscriberBook, history: History, addresses: Addresses
    ) -> None:
        self._queue = queue
        self._subscribers = subscribers
        self._history = history
        self._addresses = addresses

    def why(self, page: str, subscriber: str, subject: Subject) -> SubscriberWhy | None:
        """Return the reasons for each update, oldest first; None for an unknown subscriber.

        Raises what the ledger and the log raise where they cannot be reached.
        """
        now = self._subscribers.subscriber(page, subscriber)
        if now is None:
            return None
        thread = {entry.update: entry for entry in self._queue.thread(page, subject.id, subscriber)}
        pasts = self._history(page, subscriber)
        found: list[Why] = []
        told_before = False
        for message in self._messages(page, subject, thread):
            found.append(self._why(page, subject, message, now, pasts, thread, told_before=told_before))
            # Operators who are reminded are not told of the incident by that.
            told_before |= found[-1].planned and found[-1].kind is not Kind.REMINDER
        return SubscriberWhy(now.id, now.channel, self._addresses.masked(now), _standing(now), found)

    def _messages(self, page: str, subject: Subject, thread: Mapping[str, Entry]) -> list[_Message]:
        """Return the subject's updates and what else the subscriber was told of it, in the order of publication."""
        updates = [
            _Message(update.id, number, update.status, update.at, self._notice(page, subject, update.id))
            for number, update in enumerate(subject.updates, 1)
        ]
        others = thread.keys() - {message.update for message in updates}
        for update in others:
            notice = self._notice(page, subject, update)
            at = thread[update].at if notice is None else notice.published_at
            updates.append(_Message(update, None, "" if notice is None else notice.status, at, notice))
        return sorted(updates, key=lambda message: message.at)

    def _notice(self, page: str, subject: Subject, update: str) -> Notice | None:
        try:
            return self._queue.published(page, subject.id, update)
        except LookupError:
            return None

    def _why(
        self, page: str, subject: Subject, message: _Message, now: Subscriber, pasts: Sequence[Past],
        thread: Mapping[str, Entry], *, told_before: bool,
    ) -> Why:  # fmt: skip
        entry = thread.get(message.update)
        then = _stood(pasts, message.at)
        verdict, today = _unpublished(subject, planned=entry is not None), None
        if message.notice is not None:
            asked = plans.asked_of(self._subscribers, page, message.notice)
            then, verdict = _judged(pasts, asked, message.at, planned=entry is not None, told_before=told_before)
            if then is None or _standing(then) != _standing(now):
                judged = plans.verdict(now, asked, told_before=told_before)
                today = Judgement(judged.told, judged.reason)
        return Why(
            update=message.update,
            number=message.number,
            kind=_kind(subject) if message.notice is None else message.notice.kind,
            status=message.status,
            at=message.at,
            planned=entry is not None,
            reason=verdict.reason,
            told_before=told_before,
            reaches=[_reach(match) for match in verdict.matches],
            then=None if then is None else _standing(then),
            today=today,
            fate=None if entry is None else fate(entry, list(thread)),
        )


def _judged(
    pasts: Sequence[Past], asked: Question, at: Micros, *, planned: bool, told_before: bool
) -> tuple[Subscriber | None, Verdict]:
    """Return how the subscriber stood, and why a plan names them or none does; ``planned`` is what the record says."""
    then = _stood(pasts, at)
    verdict = plans.verdict(then, asked, told_before=told_before)
    if verdict.told == planned:
        return then, verdict
    if not planned:
        reason = f"no plan names them, or none yet, though they were to be told: {verdict.reason}"
        return then, Verdict(False, reason, verdict.matches)
    # A planner sees what was subscribed until it comes to the notice: a moment, or longer if it was behind.
    for known in (past.known for past in pasts if past.at > at):
        later = plans.verdict(known, asked, told_before=told_before)
        if later.told:
            return known, later._replace(
                reason=f"{later.reason}; so since after it was published, before it was planned"
            )
    reason = f"a plan names them, though by what is known today they were not to be told: {verdict.reason}"
    return then, Verdict(True, reason, verdict.matches)


def _stood(pasts: Sequence[Past], at: Micros) -> Subscriber | None:
    return next((past.known for past in reversed(pasts) if past.at <= at), None)


def _unpublished(subject: Subject, *, planned: bool) -> Verdict:
    if planned:
        return Verdict(True, "a plan names them; what it is about is not known here yet")
    return Verdict(
        False, "it is a drill, which nobody is told of" if subject.drill else "nothing of it is published yet"
    )


def _kind(subject: Subject) -> Kind:
    return Kind.INCIDENT if isinstance(subject, Incident) else Kind.MAINTENANCE


def _standing(known: Subscriber) -> Standing:
    return Standing(known.state, known.reason, known.filter, known.audience)


def _reach(match: Match) -> Reach:
    cell = match.cell
    return Reach(Cell(cell.lineage[0], cell.region), cell.impact, match.chosen, match.through, match.weighs)


def fate(entry: Entry, thread: Sequence[str]) -> Fate:
    """Return what became of a notification; ``thread`` are the updates planned for the same endpoint, in their order."""
    state = NotificationState(entry.state)
    successor = verdicts.successor_in(entry.reason) if state is NotificationState.SUPERSEDED else None
    if state is NotificationState.PLANNED and thread[-1] != entry.update:
        successor = thread[-1]
    return Fate(
        entry.notification, state, _meaning(state, entry.attempts, is_overtaken=successor is not None, is_put_off=entry.held_until > 0), entry.reason,
        entry.attempts, entry.at, successor,
    )  # fmt: skip


def _meaning(state: NotificationState, attempts: int, *, is_overtaken: bool, is_put_off: bool) -> str:
    if state is NotificationState.PLANNED and is_overtaken:
        return "is not sent any more, a newer update is planned"
    if state is NotificationState.PLANNED and attempts:
        return "waits for another attempt"
    if state is NotificationState.PLANNED and is_put_off:
        return "waits for a better time"
    return MEANINGS[state]

"""From running episodes to incidents and drafts: which matter an alert belongs to, and what its coming and going does.

Only this module changes groups for alerts; what a person or the clock does to a draft is in ``drafting``.
"""

import msgspec
from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent, Micros
from schemas.vocabulary import IncidentStatus, MaintenanceStatus, Publish, Severity
from streams.domain import drafting
from streams.domain import page as facts
from streams.domain.groups import (
    Attachment,
    Group,
    Weighing,
    attach,
    detach,
    effects_of,
    group_key,
    new_group,
    weigh,
    with_told,
)
from streams.domain.processor import Output
from streams.domain.routing import Routed, Unrouted, route
from streams.domain.speech import Speech
from streams.domain.state import State

GROUPS, ATTACHED, HELD, UNROUTED, OWNERS = "groups", "attached", "held", "unrouted", "owners"
"""Matters by key; attachments by episode; alerts that maintenance silences; alerts that tell nobody; and to which
matter a draft or an incident belongs."""
MAX_UNROUTED = 500
_SLACK = 100


class UnroutedAlarm(msgspec.Struct, frozen=True):
    """A running alert that tells nobody, for operators to see."""

    source: str
    title: str
    severity: Severity
    labels: dict[str, str]
    reason: str
    at: Micros


def opened(state: State, event: AnyEvent, episode: e.EpisodeOpened, out: Output) -> None:
    """An episode began."""
    if state[ATTACHED].get(event.page, episode.episode) is not None:
        out.ignore("this episode is known")
        return
    match route(drafting.rulebook(state, event.page), drafting.layout(state, event.page), episode):
        case Unrouted(reason=reason):
            _keep_unrouted(state, event, episode, reason)
        case Routed(cells=cells) as routed:
            if all(facts.is_masked(state, event.page, cell.key) for cell in cells):
                state[HELD].put(event.page, episode.episode, episode)
            else:
                _join(state, event, episode, routed, out)


def changed(state: State, event: AnyEvent, episode: e.EpisodeChanged, out: Output) -> None:
    """The severity of a running episode changed."""
    now = e.EpisodeOpened(
        episode.episode, episode.source, episode.fingerprint, episode.severity, event.occurred_at, episode.title,
        episode.labels, episode.annotations, episode.url, False,
    )  # fmt: skip
    if (held := state[HELD].get(event.page, episode.episode)) is not None:
        state[HELD].put(event.page, episode.episode, replace(now, started_at=held.started_at))
        return
    known = _attachment(state, event.page, episode.episode)
    if known is None:
        state[UNROUTED].delete(event.page, episode.episode)
        opened(state, event, now, out)
        return
    attachment, group = known
    routing = route(drafting.rulebook(state, event.page), drafting.layout(state, event.page), episode)
    group = detach(group, attachment.cells, attachment.status)
    if isinstance(routing, Unrouted) or group_key(routing.rule.id, routing.component) != attachment.group:
        # It leads elsewhere now: it leaves this matter as if it had ended, after it arrived where it belongs.
        state[ATTACHED].delete(event.page, episode.episode)
        opened(state, event, now, out)
        settle(state, event, group, drafting.speech(state, event, group, episode.labels, None), out)
        return
    cells = [cell.key for cell in routing.cells]
    group = attach(group, cells, routing.status)
    state[ATTACHED].put(event.page, episode.episode, replace(attachment, cells=cells, status=routing.status))
    settle(state, event, group, drafting.speech(state, event, group, episode.labels, routing.region, now), out)


def closed(state: State, event: AnyEvent, episode: e.EpisodeClosed, out: Output) -> None:
    """An episode ended."""
    state[UNROUTED].delete(event.page, episode.episode)
    state[HELD].delete(event.page, episode.episode)
    known = _attachment(state, event.page, episode.episode)
    state[ATTACHED].delete(event.page, episode.episode)
    if known is None:
        out.ignore("nothing is open for this episode")
        return
    attachment, group = known
    group = detach(group, attachment.cells, attachment.status)
    if group.live and drafting.is_settled(group):
        state[GROUPS].put(event.page, attachment.group, group)  # one of many ended: the ordinary case of a storm
        return
    settle(state, event, group, drafting.speech(state, event, group, {}, None), out)


def applied(state: State, event: AnyEvent, out: Output) -> None:
    """A fact was applied that alerts depend on: a resolution by hand, or the end of a maintenance."""
    match event.data:
        case e.IncidentUpdated(incident=incident, status=IncidentStatus.RESOLVED) if event.actor != drafting.OURSELVES:
            _close_by_hand(state, event, incident, out)
        case e.IncidentOpened(incident=incident, draft=str()) | e.IncidentUpdated(incident=incident, draft=str()):
            _catch_up(state, event, incident, out)
        case e.MaintenanceUpdated(status=MaintenanceStatus.COMPLETED):
            for key, held in sorted(state[HELD].items(event.page)):
                state[HELD].delete(event.page, key)
                opened(state, event, held, out)
            _unmask(state, event, out)
        case _:
            pass


def settle(state: State, event: AnyEvent, group: Group, speech: Speech, out: Output) -> None:
    """Bring what people know of a matter up to what it is: update, draft, silence, resolution, or nothing."""
    weighing = weigh(group)
    if weighing.cleared:
        _clear(state, event, group, speech, out)
    elif group.incident is None and group.draft is not None:
        drafting.revise(state, event, group, speech, out)
    elif group.incident is None:
        _reopen_dismissed(state, event, group, weighing, speech, out)
    else:
        _update(state, event, group, weighing, speech, out)


def _join(state: State, event: AnyEvent, episode: e.EpisodeOpened, routed: Routed, out: Output) -> None:
    key = group_key(routed.rule.id, routed.component)
    cells = [cell.key for cell in routed.cells]
    group: Group | None = state[GROUPS].get(event.page, key)
    fresh = group is None
    if group is None:
        group = new_group(routed.rule.id, routed.component, episode.episode, episode.started_at)
    group = attach(group, cells, routed.status)
    state[ATTACHED].put(event.page, episode.episode, Attachment(key, group.origin, cells, routed.status))
    if not fresh and drafting.is_settled(group):
        state[GROUPS].put(event.page, key, group)  # one more of the same: the ordinary case of a storm
        return
    speech = drafting.speech(state, event, group, episode.labels, routed.region, episode)
    if fresh:
        _begin(state, event, group, routed, speech, out)
    else:
        settle(state, event, group, speech, out)


def _begin(state: State, event: AnyEvent, group: Group, routed: Routed, speech: Speech, out: Output) -> None:
    if routed.rule.publish is Publish.AUTO:
        drafting.open_incident(state, event, group, speech, out)
    else:
        drafting.write(state, event, group, routed.rule, speech, out)


def _reopen_dismissed(
    state: State, event: AnyEvent, group: Group, weighing: Weighing, speech: Speech, out: Output
) -> None:
    rule = drafting.rule_named(state, event.page, group.rule)
    if weighing.worse and rule is not None:
        drafting.write(state, event, group, rule, speech, out)
    else:
        state[GROUPS].put(event.page, group_key(group.rule, group.component), group)


def _update(state: State, event: AnyEvent, group: Group, weighing: Weighing, speech: Speech, out: Output) -> None:
    incident = group.incident
    assert incident is not None, "only a public matter is updated"
    # What is worse beneath a maintenance is told when it is over, if it still is.
    audible = {key: status for key, status in weighing.worse.items() if not facts.is_masked(state, event.page, key)}
    weighing = replace(weighing, worse=audible)
    rule = drafting.rule_named(state, event.page, group.rule)
    # What waits for approval goes on to wait for it, whatever became of the rule.
    needs_approval = group.draft is not None or (rule is not None and rule.publish is Publish.APPROVE)
    if weighing.worse and not needs_approval:
        group = drafting.update_incident(state, event, group, {**weighing.better, **weighing.worse}, speech, out)
    elif weighing.better:
        out.emit(e.IncidentCellsChanged(incident, effects_of(weighing.better)), event.occurred_at)
        group = with_told(group, weighing.better)
    if needs_approval and (weighing.worse or group.draft is not None):
        if group.draft is None:
            assert rule is not None, "it is the rule that asks for approval"
            drafting.write(state, event, group, rule, speech, out)
        elif weighing.worse:
            drafting.revise(state, event, group, speech, out)
        else:
            drafting.withdraw(state, event, group, "the cells it spoke of are better", out)
        return
    state[GROUPS].put(event.page, group_key(group.rule, group.component), group)


def _clear(state: State, event: AnyEvent, group: Group, speech: Speech, out: Output) -> None:
    if group.draft is not None:
        out.emit(e.DraftWithdrawn(group.draft, "the alerts cleared"), event.occurred_at)
        state[OWNERS].delete(event.page, group.draft)
    if group.incident is not None:
        update = drafting.update_id(group.incident, out)
        told = e.IncidentUpdated(
            group.incident, update, speech.resolved(), IncidentStatus.RESOLVED, None, [], None, None
        )
        out.emit(told, event.occurred_at)
        state[OWNERS].delete(event.page, group.incident)
    state[GROUPS].delete(event.page, group_key(group.rule, group.component))


def _catch_up(state: State, event: AnyEvent, incident: str, out: Output) -> None:
    """A draft went out with the words that lay ready: say what changed while it was on its way."""
    key = state[OWNERS].get(event.page, incident)
    group: Group | None = None if key is None else state[GROUPS].get(event.page, key)
    if group is not None and group.incident == incident and group.draft is None and not drafting.is_settled(group):
        settle(state, event, group, drafting.speech(state, event, group, {}, None), out)


def _close_by_hand(state: State, event: AnyEvent, incident: str, out: Output) -> None:
    key = state[OWNERS].get(event.page, incident)
    group: Group | None = None if key is None else state[GROUPS].get(event.page, key)
    if key is None or group is None or group.incident != incident:
        return
    # The matter is gone, and with it its origin: what still fires belongs to nothing and reopens nothing.
    if group.draft is not None:
        out.emit(e.DraftWithdrawn(group.draft, "the incident was resolved by hand"), event.occurred_at)
        state[OWNERS].delete(event.page, group.draft)
    state[OWNERS].delete(event.page, incident)
    state[GROUPS].delete(event.page, key)


def _attachment(state: State, page: str, episode: str) -> tuple[Attachment, Group] | None:
    attachment: Attachment | None = state[ATTACHED].get(page, episode)
    if attachment is None:
        return None
    group: Group | None = state[GROUPS].get(page, attachment.group)
    return None if group is None or group.origin != attachment.origin else (attachment, group)


def _unmask(state: State, event: AnyEvent, out: Output) -> None:
    """A maintenance is over: say what became worse beneath it, and let out what waited longer than its delay."""
    for _, group in sorted(state[GROUPS].items(event.page)):
        if group.draft is not None and drafting.is_overdue(state, event, group.draft):
            drafting.publish(state, event, group.draft, out)
        elif group.incident is not None and not drafting.is_settled(group):
            settle(state, event, group, drafting.speech(state, event, group, {}, None), out)


def _keep_unrouted(state: State, event: AnyEvent, episode: e.EpisodeOpened, reason: str) -> None:
    table = state[UNROUTED]
    alarm = UnroutedAlarm(episode.source, episode.title, episode.severity, episode.labels, reason, event.recorded_at)
    table.put(event.page, episode.episode, alarm)
    if table.count(event.page) > MAX_UNROUTED + _SLACK:
        by_age = sorted(table.items(event.page), key=lambda row: (row[1].at, row[0]))
        for key, _ in by_age[:_SLACK]:
            table.delete(event.page, key)

"""Messages about a matter of alerts: written as drafts, revised, withdrawn, and published as incidents."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent, Micros, Rule
from schemas.ids import derive
from schemas.vocabulary import CellStatus, IncidentStatus, Publish
from streams.domain import audiences
from streams.domain import page as facts
from streams.domain.groups import Group, cell_of, effects_of, group_key, standing, weigh, with_told
from streams.domain.model import Component, Draft
from streams.domain.processor import Output
from streams.domain.routing import Layout, Rulebook
from streams.domain.speech import Speech
from streams.domain.state import State
from streams.domain.wording import Named, Words, clock_time, in_words

GROUPS, OWNERS = "groups", "owners"
OURSELVES = "tocsin"
"""The actor of what no person did."""
APPROVAL, DELAY = "approval", "delay"
SECOND = 1_000_000
_LATEST: Micros = 2**63 - 1


def layout(state: State, page: str) -> Layout:
    """Return the page's components and cells."""
    return state[facts.COMPONENTS].derived(page, _layout)


def _layout(components: Mapping[str, Component]) -> Layout:
    return Layout({key: component.definition for key, component in components.items()})


def rulebook(state: State, page: str) -> Rulebook:
    """Return the page's rules."""
    return state[facts.RULES].derived(page, _rulebook)


def _rulebook(defined: Mapping[str, e.RulesDefined]) -> Rulebook:
    return Rulebook([rule for rules in defined.values() for rule in rules.rules])


def rule_named(state: State, page: str, name: str) -> Rule | None:
    """Return the rule of this name, None where the page has it no more."""
    return rulebook(state, page).named(name)


def speech(
    state: State,
    event: AnyEvent,
    group: Group,
    labels: dict[str, str],
    region: str | None,
    episode: e.EpisodeOpened | None = None,
) -> Speech:
    """Return what the matter's template says now. ``region`` is the new one, None for all that were affected."""
    rule = rule_named(state, event.page, group.rule)
    template = None if rule is None else state[facts.TEMPLATES].get(event.page, rule.template)
    settings = state[facts.SETTINGS].get(event.page, facts.ONLY)
    every = 0 if settings is None else settings.update_every
    zone = "UTC" if settings is None else settings.timezone
    names = _region_names(state, event.page)
    where = [Named(name, names.get(name, name)) for name in _regions(group)]
    told_at = _told_at(state, event, group, rule)
    words = Words(
        component=Named(group.component, _component_name(state, event.page, group.component)),
        region=_joined(where) if region is None else Named(region, names.get(region, region)),
        regions=where,
        labels=labels,
        alert=_alert(episode),
        next_update=clock_time(_later(told_at, every), zone, told_at),
        duration=in_words(facts.happened_at(event) - group.started_at),
    )
    return Speech(template, words, _later(event.recorded_at, every) if every else None)


def _told_at(state: State, event: AnyEvent, group: Group, rule: Rule | None) -> Micros:
    """Return when people will read what is written now: a message that waits for its delay speaks of then."""
    if rule is None or rule.publish is not Publish.AFTER or group.incident is not None:
        return event.recorded_at
    draft: Draft | None = None if group.draft is None else state[facts.DRAFTS].get(event.page, group.draft)
    if draft is None or draft.publish_at is None:
        return _later(event.recorded_at, rule.delay)
    return draft.publish_at


def _later(at: Micros, seconds: int) -> Micros:
    return min(at + max(0, seconds) * SECOND, _LATEST)


def is_settled(group: Group) -> bool:
    """Whether everybody knows all there is to know: the ordinary case of one more alert of the same."""
    now = standing(group)
    if group.draft is not None:
        return group.incident is None and now == group.drafted
    if now == group.told:
        return True
    weighing = weigh(group)
    return not weighing.worse and not weighing.better


def open_incident(state: State, event: AnyEvent, group: Group, words: Speech, out: Output) -> None:
    """Publish a matter at once."""
    now = standing(group)
    told = _Opening(words.title(), words.text(IncidentStatus.INVESTIGATING), now, None, words.promise_at)
    _publish_opening(state, event, group, told, out)


def update_incident(
    state: State, event: AnyEvent, group: Group, cells: dict[str, CellStatus], words: Speech, out: Output
) -> Group:
    """Publish that a public matter reached new cells or became worse; returns the matter as it then is."""
    assert group.incident is not None, "only a public matter is updated"
    status = _status_of(state, event.page, group.incident)
    update = update_id(group.incident, out)
    out.emit(
        e.IncidentUpdated(
            group.incident, update, words.text(status), status, None, effects_of(cells), None, words.promise_at
        ),
        event.occurred_at,
    )
    return with_told(group, cells)


def update_id(incident: str, out: Output) -> str:
    """Return the id of the update that is about to be said: one event may bring about several of one incident."""
    return derive("update", incident, out.cause.id, str(len(out.emitted)))


def write(state: State, event: AnyEvent, group: Group, rule: Rule, words: Speech, out: Output) -> None:
    """Lay a message ready that waits for its delay or for approval."""
    cells = standing(group) if group.incident is None else weigh(group).worse
    draft = derive("draft", event.page, group.rule, group.component, event.id)
    delayed = rule.publish is Publish.AFTER and group.incident is None
    publish_at = _later(event.recorded_at, rule.delay) if delayed else None
    status = IncidentStatus.INVESTIGATING if group.incident is None else _status_of(state, event.page, group.incident)
    out.emit(
        e.DraftWritten(
            draft, group.incident, group.rule, group.component, words.title(), words.text(status), status,
            effects_of(cells), DELAY if delayed else APPROVAL, publish_at, group.started_at,
        ),
        event.occurred_at,
    )  # fmt: skip
    if publish_at is not None:
        out.wake(f"draft:{draft}", publish_at)
    key = group_key(group.rule, group.component)
    state[OWNERS].put(event.page, draft, key)
    state[GROUPS].put(event.page, key, replace(group, draft=draft, drafted=cells))


def revise(state: State, event: AnyEvent, group: Group, words: Speech, out: Output) -> None:
    """Bring a waiting draft up to what the matter is now."""
    assert group.draft is not None, "there is a draft to revise"
    cells = standing(group) if group.incident is None else weigh(group).worse
    if cells != group.drafted:
        status = (
            IncidentStatus.INVESTIGATING if group.incident is None else _status_of(state, event.page, group.incident)
        )
        body = words.text(status)
        out.emit(e.DraftRevised(group.draft, words.title(), body, effects_of(cells)), event.occurred_at)
    state[GROUPS].put(event.page, group_key(group.rule, group.component), replace(group, drafted=cells))


def withdraw(state: State, event: AnyEvent, group: Group, reason: str, out: Output) -> None:
    """Take a waiting draft back and keep the matter."""
    assert group.draft is not None, "there is a draft to withdraw"
    out.emit(e.DraftWithdrawn(group.draft, reason), event.occurred_at)
    state[OWNERS].delete(event.page, group.draft)
    state[GROUPS].put(event.page, group_key(group.rule, group.component), replace(group, draft=None, drafted={}))


def applied(state: State, event: AnyEvent, out: Output) -> None:
    """A person approved or dismissed a draft."""
    match event.data:
        case e.DraftApproved(draft=draft):
            publish(state, event, draft, out)
        case e.DraftDismissed(draft=draft):
            if (group := _owner(state, event.page, draft)) is not None:
                state[OWNERS].delete(event.page, draft)
                muted = {**group.muted, **group.drafted}
                key = group_key(group.rule, group.component)
                state[GROUPS].put(event.page, key, replace(group, draft=None, drafted={}, muted=muted))
        case _:
            pass


def is_overdue(state: State, event: AnyEvent, draft_id: str) -> bool:
    """Whether a draft waited longer than its delay, because of a maintenance that masks it no more."""
    draft: Draft | None = state[facts.DRAFTS].get(event.page, draft_id)
    if draft is None or draft.approved or draft.waits_for != DELAY or draft.publish_at is None:
        return False
    return draft.publish_at <= event.recorded_at and not is_silent(state, event.page, draft)


def is_silent(state: State, page: str, draft: Draft) -> bool:
    """Whether maintenance masks all that a draft speaks of."""
    cells = [facts.effect_key(effect) for effect in draft.affects]
    return bool(cells) and all(facts.is_masked(state, page, cell) for cell in cells)


def publish(state: State, event: AnyEvent, draft_id: str, out: Output) -> None:
    """Let a draft go out with the very words that lie ready."""
    draft: Draft | None = state[facts.DRAFTS].get(event.page, draft_id)
    group = _owner(state, event.page, draft_id)
    if draft is None or group is None:
        out.ignore("the draft was withdrawn")
        return
    state[OWNERS].delete(event.page, draft_id)
    cells = {facts.effect_key(effect): effect.status for effect in draft.affects}
    group = replace(group, draft=None, drafted={})
    words = speech(state, event, group, {}, None)
    if group.incident is None:
        told = _Opening(draft.title, draft.body, cells, draft_id, words.promise_at)
        _publish_opening(state, event, group, told, out, drill=draft.drill)
        return
    update = update_id(group.incident, out)
    status = _status_of(state, event.page, group.incident)
    out.emit(
        e.IncidentUpdated(group.incident, update, draft.body, status, None, draft.affects, draft_id, words.promise_at),
        event.occurred_at,
        drill=draft.drill,
    )
    state[GROUPS].put(event.page, group_key(group.rule, group.component), with_told(group, cells))


class _Opening(NamedTuple):
    """What the public is told first: the words, the cells, the draft it lay ready in, and the promise."""

    title: str
    body: str
    cells: dict[str, CellStatus]
    draft: str | None
    promise_at: Micros | None


def _publish_opening(
    state: State, event: AnyEvent, group: Group, told: _Opening, out: Output, *, drill: bool | None = None
) -> None:
    incident = derive("incident", event.page, group.rule, group.component, group.origin, told.draft or "")
    opened = e.IncidentOpened(
        incident=incident,
        update=update_id(incident, out),
        title=told.title,
        body=told.body,
        status=IncidentStatus.INVESTIGATING,
        impact=None,
        affects=effects_of(told.cells),
        rule=group.rule,
        component=group.component,
        draft=told.draft,
        promise_at=told.promise_at,
        audience=audiences.audience_of_matter(
            state, event.page, group.component, [cell_of(key).component for key in told.cells]
        ),
    )
    out.emit(opened, group.started_at, drill=drill)
    key = group_key(group.rule, group.component)
    state[OWNERS].put(event.page, incident, key)
    state[GROUPS].put(event.page, key, with_told(replace(group, incident=incident), told.cells))


def _owner(state: State, page: str, draft: str) -> Group | None:
    key = state[OWNERS].get(page, draft)
    group: Group | None = None if key is None else state[GROUPS].get(page, key)
    return group if group is not None and group.draft == draft else None


def _status_of(state: State, page: str, incident: str) -> IncidentStatus:
    known = state[facts.INCIDENTS].get(page, incident)
    return IncidentStatus.INVESTIGATING if known is None or not known.is_open else known.status


def _component_name(state: State, page: str, component: str) -> str:
    known = state[facts.COMPONENTS].get(page, component)
    return component if known is None else str(known.definition.name)


def _region_names(state: State, page: str) -> dict[str, str]:
    known = state[facts.REGIONS].get(page, facts.ONLY)
    return {} if known is None else {region.id: region.name for region in known.regions}


def _regions(group: Group) -> list[str]:
    cells = standing(group) or dict.fromkeys(group.ever)
    return sorted({cell.region for key in cells if (cell := cell_of(key)).region is not None})


def _joined(regions: list[Named]) -> Named | None:
    if len(regions) < 2:
        return regions[0] if regions else None
    names = [region.name for region in regions]
    return Named(" ".join(region.id for region in regions), f"{', '.join(names[:-1])} and {names[-1]}")


def _alert(episode: e.EpisodeOpened | None) -> dict[str, str]:
    if episode is None:
        return {}
    return {
        **episode.annotations,
        "title": episode.title,
        "severity": episode.severity,
        "source": episode.source,
        "url": episode.url,
    }

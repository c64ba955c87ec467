"""What holds after any day of a page, whatever monitors, people and the clock did, in any order that the log may give.

Each day is acted out on the real folds; at moments that chance chooses, a part of the log is left for later. In the end
everything is folded, and then what is shown must follow from what is open.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import events as e
from schemas.vocabulary import CellStatus, IncidentStatus, MaintenanceStatus, Publish
from streams.domain import alarms
from streams.domain.drafting import OURSELVES
from streams.domain.episodes import Instance
from streams.domain.groups import Group, standing
from streams.domain.rollup import worst
from tests.builders.page_history import PAGE, RULES, Fold, History, Place, rule
from tests.builders.views import MINUTE

Act = Callable[[History], object]
OTHER_RULES = [rule("api", Publish.APPROVE), rule("payments"), rule("login", region=None)]
SERVICES = st.sampled_from(["api", "web", "payments", "login", "all", "fax"])
REGIONS = st.sampled_from(["eu", "us"])
SEVERITIES = st.sampled_from(["critical", "warning", "info"])
NUMBERS = st.integers(0, 9)
CELLS = st.sampled_from(["api/eu", "api/us", "login", "web/eu"])
STATUSES = st.sampled_from(CellStatus)


def fires(service: str, region: str, severity: str, number: int, lease: bool) -> Act:
    name = f"{service}-{region}-{number % 2}"

    def act(history: History) -> None:
        expires = history.now + 10 * MINUTE if lease else None
        starts = None if number > 7 else history.now - number // 3 * MINUTE
        history.fires(service, region, severity, fingerprint=name, starts_at=starts, expires_at=expires)

    return act


def clears(service: str, region: str, number: int) -> Act:
    name = f"{service}-{region}-{number % 2}"
    return lambda history: history.clears(
        service, region, fingerprint=name, ends_at=None if number > 7 else history.now - number // 3 * MINUTE
    )


def decides(number: int, approve: bool) -> Act:
    def act(history: History) -> None:
        if drafts := history.drafts:
            name = drafts[number % len(drafts)].id
            history.say(e.DraftApproved(name) if approve else e.DraftDismissed(name, ""))

    return act


def updates(number: int, status: IncidentStatus, cells: Sequence[tuple[str, CellStatus]]) -> Act:
    def act(history: History) -> None:
        if incidents := history.incidents:
            history.updates(incidents[number % len(incidents)].id, status, *cells)

    return act


def maintains(number: int, status: MaintenanceStatus) -> Act:
    def act(history: History) -> None:
        if found := sorted(history.maintenances, key=lambda one: one.id):
            history.maintains(found[number % len(found)].id, status)

    return act


QUIET = st.tuples(NUMBERS, st.sampled_from(IncidentStatus)).map(lambda two: updates(two[0], two[1], []))
ALERTS = st.builds(fires, SERVICES, REGIONS, SEVERITIES, NUMBERS, st.booleans()) | st.builds(
    clears, SERVICES, REGIONS, NUMBERS
)
OTHERS = (
    st.builds(decides, NUMBERS, st.booleans())
    | QUIET
    | st.sampled_from([1, 6, 20, 90]).map(lambda minutes: lambda history: history.wait(minutes * MINUTE))
    | st.builds(maintains, NUMBERS, st.sampled_from(MaintenanceStatus))
    | st.lists(CELLS, min_size=1, max_size=3).map(lambda cells: lambda history: history.schedules(*cells))
    | st.tuples(CELLS, STATUSES).map(lambda two: lambda history: history.opens(two[0], status=two[1]))
)
BY_HAND = st.builds(
    updates, NUMBERS, st.sampled_from(IncidentStatus), st.lists(st.tuples(CELLS, STATUSES), max_size=2)
)  # fmt: skip
CHANGES = st.sampled_from([OTHER_RULES, RULES, []]).map(
    lambda rules: lambda history: history.say(e.RulesDefined(rules), actor="config")
)
ORDERS = st.randoms(use_true_random=False)


def day(acts: Sequence[Act], order: Random) -> History:
    """Return the history of a day on which all this happened and everything was folded in the end."""

    def choose(places: Sequence[Place]) -> Place | None:
        return None if order.random() < 0.15 else order.choice(places)

    history = History(choose=choose)
    for act in acts:
        act(history)
    history.rest()
    return history


def groups(history: History) -> dict[str, Group]:
    return history.page.tables[alarms.GROUPS].rows(PAGE)


@settings(max_examples=150)
@given(st.lists(ALERTS | OTHERS | BY_HAND | CHANGES, max_size=25), ORDERS)
def test_a_cell_is_the_worst_of_what_is_open_on_it_unless_it_is_masked(acts: list[Act], order: Random) -> None:
    history = day(acts, order)
    shown: dict[str, list[CellStatus]] = {}
    for incident in history.incidents:
        for key, effect in incident.effects.items():
            assert incident.is_open, "what is over affects nothing"
            shown.setdefault(key, []).append(effect.status)
    masked = {effect.cell.key for one in history.maintenances if one.is_active for effect in one.affects}
    wanted = {key: worst(found) for key, found in shown.items()} | dict.fromkeys(masked, CellStatus.MAINTENANCE)
    assert history.cells == wanted


@settings(max_examples=150)
@given(st.lists(ALERTS | OTHERS | BY_HAND | CHANGES, max_size=25), ORDERS)
def test_an_incident_of_alerts_is_open_as_long_as_its_alerts_live(acts: list[Act], order: Random) -> None:
    history = day(acts, order)
    matters = groups(history)
    assert all(group.live for group in matters.values()), "a matter ends with its last episode"
    open_incidents = {one.id for one in history.incidents if one.is_open and one.rule is not None}
    assert open_incidents == {group.incident for group in matters.values() if group.incident is not None}
    assert len(open_incidents) == sum(group.incident is not None for group in matters.values())


@settings(max_examples=150)
@given(st.lists(ALERTS | OTHERS | BY_HAND | CHANGES, max_size=25), ORDERS)
def test_a_matter_counts_the_episodes_that_are_attached_to_it(acts: list[Act], order: Random) -> None:
    history = day(acts, order)
    counted: dict[str, dict[str, dict[str, int]]] = {key: {} for key in groups(history)}
    for attached in history.page.tables[alarms.ATTACHED].rows(PAGE).values():
        group = groups(history).get(attached.group)
        if group is not None and group.origin == attached.origin:
            for cell in attached.cells:
                by_status = counted[attached.group].setdefault(cell, {})
                by_status[attached.status] = by_status.get(attached.status, 0) + 1
    assert counted == {key: group.live for key, group in groups(history).items()}


@settings(max_examples=150)
@given(st.lists(ALERTS | OTHERS | BY_HAND | CHANGES, max_size=25), ORDERS)
def test_every_draft_belongs_to_a_matter_that_waits_for_it(acts: list[Act], order: Random) -> None:
    history = day(acts, order)
    waiting = {group.draft: group for group in groups(history).values() if group.draft is not None}
    assert {draft.id for draft in history.drafts} == set(waiting)
    for draft in history.drafts:
        assert not draft.approved
        assert {one.cell.key: one.status for one in draft.affects} == waiting[draft.id].drafted


@settings(max_examples=150)
@given(st.lists(ALERTS | OTHERS, max_size=25), ORDERS)
def test_what_was_told_is_what_is_shown_and_what_runs_is_told(acts: list[Act], order: Random) -> None:
    history = day(acts, order)
    incidents = {one.id: one for one in history.incidents}
    for group in groups(history).values():
        if group.incident is not None:
            shown = {key: effect.status for key, effect in incidents[group.incident].effects.items()}
            assert shown == group.told
        if next(one.publish for one in RULES if one.id == group.rule) is Publish.AUTO:
            assert group.told == standing(group)


@settings(max_examples=150)
@given(st.lists(ALERTS | OTHERS | BY_HAND, max_size=25), ORDERS)
def test_nothing_that_asks_for_approval_is_published_without_it(acts: list[Act], order: Random) -> None:
    history = day(acts, order)
    approved: set[str | None] = set()
    for event in history.page_events():
        match event.data:
            case e.DraftApproved(draft=draft):
                approved.add(draft)
            case e.IncidentOpened(rule="payments", draft=draft):
                assert draft in approved
            case e.IncidentUpdated(incident=name, draft=draft, affects=affects, status=status) if (
                event.actor == OURSELVES
            ):
                of_rule = next(one.rule for one in history.incidents if one.id == name)
                assert of_rule != "payments" or draft in approved or (status == "resolved" and not affects)
            case e.IncidentCellsChanged(incident=name, affects=affects):
                assert affects, "a silent change changes something"
            case _:
                pass


@settings(max_examples=100)
@given(st.lists(ALERTS | OTHERS | BY_HAND, max_size=25), ORDERS, st.data())
def test_a_log_that_repeats_itself_means_what_it_meant(acts: list[Act], order: Random, data: st.DataObject) -> None:
    """Let a consumer go back and read a stretch again: at-least-once, in the order of the key.

    A writer that died says its last batch anew. What the page says itself is then known; the episodes of alerts that began
    and ended in between are not, wherefore a log or its reader drops what it has seen (the embedded one does, by id). What was ignored where it first stood
    (an end before its beginning) may make sense where it stands again.
    """
    history = day(acts, order)
    for fold in (history.episodes, history.page):
        events = [event for event in history.emitted(fold.processor.topics[0]) if event.type in fold.processor.types]
        stop = data.draw(st.integers(0, len(events)))
        again = data.draw(st.integers(0, stop))
        once, twice = Fold(fold.processor), Fold(fold.processor)
        ignored = {event.id for event in events if once.fold(event).ignored is not None}
        known = [event for event in events[again:stop] if not event.type.startswith("Episode")]
        repeated = [event for event in known if event.id not in ignored]
        for event in [*events[:stop], *repeated, *events[stop:]]:
            twice.fold(event)
        assert meaning(twice) == meaning(once)


def meaning(fold: Fold) -> dict[tuple[str, str], Any]:
    """Return what a fold holds; a repeated change of severity is counted as one more, which only makes ids of."""
    return {
        (name, key): replace(value, changes=0) if isinstance(value, Instance) else value
        for name, table in fold.tables.items()
        for key, value in table.items(PAGE)
    }

"""What is over, by day for the front page and by month for the history; open subjects stand elsewhere."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from consumers.web.render.selection import unresolved
from consumers.web.render.subject import Subject, subject_of
from consumers.web.render.zone import local, zone_of
from schemas.events import Micros
from streams.domain.model import Incident, Maintenance, PageView

PAST_DAYS = 15
MONTHS_ON_A_PAGE = 3


class Day(msgspec.Struct, frozen=True):
    """A day with what began on it and is over, the newest first, and the number of incidents that are still open."""

    day: date
    subjects: list[Subject]
    open: int


class Month(msgspec.Struct, frozen=True):
    """A month (``first`` is its first day) with what began in it and is over, the newest first."""

    first: date
    subjects: list[Subject]


class HistoryPage(msgspec.Struct, frozen=True):
    """Three months, the latest first. ``number`` counts from 1; ``newer`` and ``older`` are None at the ends."""

    number: int
    months: list[Month]
    newer: int | None
    older: int | None


def past_days(view: PageView, now: Micros) -> list[Day]:
    """Return the last fifteen days, today first; days before the page existed are left out."""
    zone = zone_of(view.settings.timezone)
    today = local(now, zone).date()
    first = max(_beginning(view, today), today - timedelta(days=PAST_DAYS - 1))
    days: dict[date, list[Subject]] = {
        today - timedelta(days=ago): [] for ago in range(max(0, (today - first).days) + 1)
    }
    for when, thing in _over(view):
        if when in days:
            days[when].append(subject_of(view.page, thing))
    still_open = Counter(local(each.started_at, zone).date() for each in unresolved(view))
    return [Day(when, subjects, still_open[when]) for when, subjects in days.items()]


def history(view: PageView, number: int, now: Micros) -> HistoryPage | None:
    """Return one page of the history; None where there is no such page."""
    zone = zone_of(view.settings.timezone)
    today = local(now, zone).date()
    months = list(_months(today, _beginning(view, today)))
    last = -(-len(months) // MONTHS_ON_A_PAGE)
    if not 1 <= number <= last:
        return None
    shown = {first: Month(first, []) for first in months[(number - 1) * MONTHS_ON_A_PAGE :][:MONTHS_ON_A_PAGE]}
    for when, thing in _over(view):
        month = shown.get(when.replace(day=1))
        if month is not None:
            month.subjects.append(subject_of(view.page, thing))
    return HistoryPage(
        number, list(shown.values()), number - 1 if number > 1 else None, number + 1 if number < last else None
    )


def _months(today: date, beginning: date) -> Iterator[date]:
    """Yield the first days of all months, the latest first."""
    first = today.replace(day=1)
    yield first
    while first > beginning.replace(day=1):
        first = (first - timedelta(days=1)).replace(day=1)
        yield first


def _over(view: PageView) -> list[tuple[date, Incident | Maintenance]]:
    """Return what is over with the day on which it began, the newest first."""
    zone = zone_of(view.settings.timezone)
    found: list[Incident | Maintenance] = [
        *(each for each in view.incidents.values() if not each.is_open and not each.drill),
        *(each for each in view.maintenances.values() if each.completed_at is not None and not each.drill),
    ]
    found.sort(key=lambda each: (-_began(each), each.id))
    return [(local(_began(each), zone).date(), each) for each in found]


def _began(thing: Incident | Maintenance) -> Micros:
    if isinstance(thing, Incident):
        return thing.started_at
    return thing.started_at or thing.starts_at


def _beginning(view: PageView, today: date) -> date:
    """Return the day from which the page has something to say: its first component or subject."""
    zone = zone_of(view.settings.timezone)
    days = [local(component.created_at, zone).date() for component in view.components.values()]
    return min([today, *days, *(when for when, _ in _over(view))])

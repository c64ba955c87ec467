"""Acme Cloud on some days of its life: a quiet one, an outage, a maintenance, and three months of uptime."""

from datetime import date, timedelta

from consumers.web.render.uptime import DAYS, DayUptime, Uptime
from schemas.vocabulary import CellStatus, MaintenanceStatus
from streams.domain.model import Incident, Maintenance, PageView
from tests.builders.views import (
    DAY,
    DEGRADED,
    HOUR,
    MAJOR,
    MINUTE,
    NOW,
    OPERATIONAL,
    PARTIAL,
    effect,
    incident,
    maintenance,
    micros,
    update,
    view,
)

TODAY = date(2026, 11, 18)


def open_outage() -> Incident:
    """Return the API's outage in Europe, half an hour old, with a promise."""
    return incident(
        "API errors in Europe",
        [
            update(
                "investigating",
                "Some requests to our API in Europe fail. We are looking into it.",
                NOW - 34 * MINUTE,
                ("api/eu", OPERATIONAL, MAJOR),
            ),
            update(
                "identified",
                "A database node in Frankfurt lost its disk. We are moving traffic to a healthy one.\n\n"
                "**Workaround:** requests to `us.api.acme.example` are not affected.",
                NOW - 12 * MINUTE,
                ("web/eu", OPERATIONAL, DEGRADED),
            ),
        ],
        effects=[effect("api/eu", MAJOR), effect("web/eu", DEGRADED)],
        promise_at=NOW + 18 * MINUTE,
    )


def past_incidents() -> list[Incident]:
    """Return two incidents that are over, one of them with its post-mortem."""
    slow = micros("2026-11-16T08:12:00+00:00")
    cards = micros("2026-11-09T18:40:00+00:00")
    return [
        incident(
            "Web app is slow in the United States",
            [
                update("investigating", "The web app answers slowly.", slow, ("web/us", OPERATIONAL, DEGRADED)),
                update("monitoring", "A fix is in place and we are watching it.", slow + 31 * MINUTE),
                update("resolved", "The web app is back to its usual speed.", slow + 54 * MINUTE,
                       ("web/us", DEGRADED, OPERATIONAL)),
            ],
        ),
        incident(
            "Card payments declined",
            [
                update("investigating", "Some card payments are declined.", cards, ("payments/eu", OPERATIONAL, PARTIAL),
                       ("payments/us", OPERATIONAL, PARTIAL)),
                update("identified", "One of our card processors has trouble. We are routing around it.",
                       cards + 20 * MINUTE),
                update("resolved", "Payments work again. Nobody was charged twice.", cards + 96 * MINUTE,
                       ("payments/eu", PARTIAL, OPERATIONAL), ("payments/us", PARTIAL, OPERATIONAL)),
                update("postmortem", "## What happened\n\nA processor's certificate expired.\n\n"
                       "## What we change\n\n- two processors are active at all times\n"
                       "- we watch their certificates, see [our notes](https://acme.example/notes)", cards + 2 * DAY),
            ],
        ),
    ]  # fmt: skip


def announced() -> Maintenance:
    """Return a maintenance that was announced for the weekend."""
    starts = micros("2026-11-21T22:00:00+00:00")
    return maintenance("Payments: network hardware", MaintenanceStatus.SCHEDULED, ["payments/eu"], starts_at=starts)


def running() -> Maintenance:
    """Return a maintenance that goes on now."""
    return maintenance("Login: new servers", MaintenanceStatus.IN_PROGRESS, ["login"], starts_at=NOW - HOUR)


def quiet() -> PageView:
    """Return a day on which all is well."""
    return view(incidents=past_incidents())


def outage() -> PageView:
    """Return a day with an open incident and a maintenance ahead."""
    return view(incidents=[open_outage(), *past_incidents()], maintenances=[announced()])


def in_maintenance() -> PageView:
    """Return a day with a maintenance that goes on, one ahead and one behind."""
    done = maintenance("Maps: new tiles", MaintenanceStatus.COMPLETED, ["maps"], starts_at=NOW - 3 * DAY)
    return view(incidents=past_incidents(), maintenances=[running(), announced(), done])


def empty() -> PageView:
    """Return a page on which nothing was defined yet."""
    return view([])


def day_uptime(day: date, lost: dict[CellStatus, int], *, length: int = 86_400, weight: float = 0.3) -> DayUptime:
    """Return a day that lost so many seconds to each status."""
    down = lost.get(MAJOR, 0) + weight * lost.get(PARTIAL, 0)
    seconds = {OPERATIONAL: length - sum(lost.values())} | lost
    return DayUptime(day, seconds, 1 - down / length)


def ninety_days(lost: dict[int, dict[CellStatus, int]], *, unknown: int = 0, today: int = 55_200) -> list[DayUptime]:
    """Return 90 days up to today; ``lost`` is by days ago, the first ``unknown`` days have no data."""
    days = []
    for ago in reversed(range(DAYS)):
        day = TODAY - timedelta(days=ago)
        known = ago < DAYS - unknown
        made = day_uptime(day, lost.get(ago, {}), length=86_400 if ago else today)
        days.append(made if known else DayUptime(day, {}, None))
    return days


def uptime(*, outage_today: bool = False) -> Uptime:
    """Return three months of Acme Cloud."""
    today: dict[int, dict[CellStatus, int]] = {0: {MAJOR: 34 * 60}} if outage_today else {}
    slow_today: dict[int, dict[CellStatus, int]] = {0: {DEGRADED: 12 * 60}} if outage_today else {}
    masked = CellStatus.MAINTENANCE
    return {
        "api": ninety_days({23: {PARTIAL: 1900}, 61: {MAJOR: 640, DEGRADED: 2000}, 24: {DEGRADED: 600}} | today),
        "web": ninety_days({2: {DEGRADED: 3240}, 47: {PARTIAL: 4100}, 71: {DEGRADED: 900}} | slow_today),
        "payments": ninety_days({9: {PARTIAL: 5760}, 33: {masked: 7200}, 80: {MAJOR: 300}}),
        "login": ninety_days({54: {masked: 5400}}),
        "maps": ninety_days({12: {DEGRADED: 7000}, 13: {DEGRADED: 2400}}, unknown=31),
    }

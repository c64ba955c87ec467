"""When quiet hours begin and end, by the clocks of the subscriber's time zone: a table, and what holds in all of them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.delivery import timing
from schemas.events import Micros, Pace, QuietHours
from schemas.vocabulary import Impact, IncidentStatus, Kind
from tests.unit.delivery.pipeline import NOON, OPENING, notice_of

BERLIN, LONDON, APIA, KOLKATA, LORD_HOWE = (
    "Europe/Berlin", "Europe/London", "Pacific/Apia", "Asia/Kolkata", "Australia/Lord_Howe",
)  # fmt: skip
ZONES = [BERLIN, LONDON, APIA, KOLKATA, LORD_HOWE, "UTC", "America/St_Johns", "Africa/Casablanca", "America/Havana"]
MINUTE: Micros = 60_000_000


def at(text: str, zone: str = "UTC", fold: int = 0) -> Micros:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(moment.timestamp()) * 1_000_000


def minutes(text: str) -> int:
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def quiet(start: str, end: str, zone: str = BERLIN) -> QuietHours:
    return QuietHours(minutes(start), minutes(end), zone)


NIGHT = quiet("22:00", "07:00")


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2026-11-22T20:59:59", None),
        (NIGHT, "2026-11-22T21:00:00", "2026-11-23T06:00:00"),
        (NIGHT, "2026-11-23T05:59:59", "2026-11-23T06:00:00"),
        (NIGHT, "2026-11-23T06:00:00", None),
        (NIGHT, "2026-07-01T20:00:00", "2026-07-02T05:00:00"),
        (quiet("09:00", "17:00"), "2026-11-22T12:00:00", "2026-11-22T16:00:00"),
        (quiet("09:00", "17:00"), "2026-11-22T18:00:00", None),
        (quiet("00:00", "08:00", KOLKATA), "2026-11-21T18:30:00", "2026-11-22T02:30:00"),
        # Clocks are put forward at 01:00 UTC: the night is an hour shorter.
        (NIGHT, "2026-03-28T22:00:00", "2026-03-29T05:00:00"),
        # 02:30 is skipped: the night ends with the jump, and hours within the jump are none.
        (quiet("22:00", "02:30"), "2026-03-29T00:59:59", "2026-03-29T01:00:00"),
        (quiet("22:00", "02:30"), "2026-03-29T01:00:00", None),
        (quiet("02:15", "02:45"), "2026-03-29T01:00:00", None),
        (quiet("02:30", "07:00"), "2026-03-29T00:59:59", None),
        (quiet("02:30", "07:00"), "2026-03-29T01:00:00", "2026-03-29T05:00:00"),
        # Clocks are put back at 01:00 UTC: the night is an hour longer, and 02:30 is the first of the two.
        (NIGHT, "2026-10-24T22:00:00", "2026-10-25T06:00:00"),
        (quiet("22:00", "02:30"), "2026-10-25T00:29:59", "2026-10-25T00:30:00"),
        (quiet("22:00", "02:30"), "2026-10-25T00:30:00", None),
        (quiet("22:00", "02:30"), "2026-10-25T01:15:00", None),
        (quiet("02:30", "07:00"), "2026-10-25T00:30:00", "2026-10-25T06:00:00"),
        (quiet("02:30", "07:00"), "2026-10-25T01:15:00", "2026-10-25T06:00:00"),
        # Half an hour is put forward at 15:30 UTC.
        (quiet("22:00", "07:00", LORD_HOWE), "2026-10-03T15:00:00", "2026-10-03T20:00:00"),
        # The 30th of December 2011 was none.
        (quiet("22:00", "07:00", APIA), "2011-12-30T09:00:00", "2011-12-30T17:00:00"),
        (quiet("22:00", "07:00", APIA), "2011-12-30T11:00:00", "2011-12-30T17:00:00"),
        (quiet("23:00", "22:00", "no such zone"), "2026-11-22T21:00:00", "2026-11-22T22:00:00"),
    ],
)  # fmt: skip
def test_quiet_hours_by_the_clocks_of_the_zone(hours: QuietHours, now: str, end: str | None) -> None:
    assert timing.quiet_until(hours, at(now)) == (None if end is None else at(end))


times = st.integers(0, 24 * 60 - 1)
hours_of_a_day = st.builds(QuietHours, times, times, st.sampled_from(ZONES)).filter(lambda one: one.start != one.end)
moments = st.datetimes(datetime(1999, 1, 1), datetime(2049, 1, 1)).map(  # noqa: DTZ001 -- UTC is set below
    lambda one: round(one.replace(tzinfo=UTC).timestamp() * 1_000_000)
)


@given(hours_of_a_day, moments)
def test_quiet_hours_end_within_a_day_or_so_and_then_it_is_quiet_no_more(hours: QuietHours, now: Micros) -> None:
    end = timing.quiet_until(hours, now)
    if end is None:
        return
    assert now < end <= now + 25 * 60 * MINUTE
    assert timing.quiet_until(hours, end) is None
    assert timing.quiet_until(hours, end - 1) == end
    assert timing.quiet_until(hours, (now + end) // 2) == end, "they have no holes"


@given(hours_of_a_day, moments)
def test_within_the_hours_clocks_show_times_of_them_but_for_jumps(hours: QuietHours, now: Micros) -> None:
    zone = ZoneInfo(hours.zone)
    wall = datetime.fromtimestamp(now / 1_000_000, zone)
    if len({(wall + timedelta(hours=step)).utcoffset() for step in range(-26, 27)}) > 1:
        return  # the table has what happens around jumps
    shown = wall.hour * 60 + wall.minute
    within = hours.start <= shown < hours.end if hours.start < hours.end else shown >= hours.start or shown < hours.end
    assert (timing.quiet_until(hours, now) is not None) == within


AT_NIGHT = at("2026-11-22T23:00:00")
LESSER = replace(notice_of(OPENING, "incident", NOON), impact=Impact.MAJOR)


def test_what_comes_at_night_waits_for_the_morning_and_says_so() -> None:
    held = timing.hold(Pace(quiet_hours=NIGHT), LESSER, AT_NIGHT)
    assert held == timing.Hold(at("2026-11-23T06:00:00"), "quiet hours until 07:00 Europe/Berlin")
    assert timing.hold(Pace(quiet_hours=NIGHT), LESSER, at("2026-11-23T06:00:00")) is None
    assert timing.hold(Pace(), LESSER, AT_NIGHT) is None


def test_what_is_critical_gets_through_unless_it_is_not_to() -> None:
    critical = replace(LESSER, impact=Impact.CRITICAL)
    assert timing.hold(Pace(quiet_hours=NIGHT), critical, AT_NIGHT) is None
    assert timing.hold(Pace(quiet_hours=NIGHT, critical_gets_through=False), critical, AT_NIGHT) is not None


@pytest.mark.parametrize("kind", list(Kind))
def test_what_somebody_waits_for_is_never_held(kind: Kind) -> None:
    pace = Pace(quiet_hours=NIGHT, critical_gets_through=False)
    held = timing.hold(pace, replace(LESSER, kind=kind, status=IncidentStatus.RESOLVED), AT_NIGHT)
    assert (held is not None) == (kind in {Kind.INCIDENT, Kind.MAINTENANCE})

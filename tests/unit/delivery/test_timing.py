"""When quiet hours begin and end, by the clocks of the subscriber's time zone: a table, and what holds in all of them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.delivery import timing
from schemas.events import Digest, Micros, Pace, QuietHours
from schemas.vocabulary import DigestEvery, Impact, IncidentStatus, Kind
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


# --- digests and gaps ---

DAILY, HOURLY = Digest(DigestEvery.DAY, minutes("08:00"), BERLIN), Digest(DigestEvery.HOUR, 0, KOLKATA)


@pytest.mark.parametrize(
    ("digest", "after", "due"),
    [
        (DAILY, "2026-11-22T06:59:59", "2026-11-22T07:00:00"),
        (DAILY, "2026-11-22T07:00:00", "2026-11-23T07:00:00"),
        (DAILY, "2026-03-28T08:00:00", "2026-03-29T06:00:00"),
        (DAILY, "2026-10-24T08:00:00", "2026-10-25T07:00:00"),
        (replace(DAILY, at=minutes("02:30")), "2026-03-28T12:00:00", "2026-03-29T01:00:00"),
        (replace(DAILY, at=minutes("02:30")), "2026-10-25T00:29:00", "2026-10-25T00:30:00"),
        (replace(DAILY, at=minutes("02:30")), "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
        (replace(DAILY, zone=APIA), "2011-12-29T19:00:00", "2011-12-30T10:00:00"),
        (HOURLY, "2026-11-22T12:00:00", "2026-11-22T12:30:00"),
        (HOURLY, "2026-11-22T12:30:00", "2026-11-22T13:30:00"),
        (replace(HOURLY, zone="UTC"), "2026-11-22T12:59:59", "2026-11-22T13:00:00"),
    ],
)
def test_digests_by_the_clocks_of_the_zone(digest: Digest, after: str, due: str) -> None:
    assert timing.next_digest(digest, at(after)) == at(due)


@given(st.builds(Digest, st.sampled_from(DigestEvery), times, st.sampled_from(ZONES)), moments)
def test_digests_come_one_after_the_other(digest: Digest, now: Micros) -> None:
    due = timing.next_digest(digest, now)
    longest = 60 if digest.every is DigestEvery.HOUR else 50 * 60
    assert now < due <= now + longest * MINUTE
    assert timing.next_digest(digest, due - 1) == due
    assert timing.next_digest(digest, due) > due


@pytest.mark.parametrize(
    ("pace", "last_left", "held"),
    [
        (Pace(minimum_gap=1_800), None, None),
        (Pace(minimum_gap=1_800), "2026-11-22T22:30:00", None),
        (
            Pace(minimum_gap=1_800), "2026-11-22T22:45:00",
            ("2026-11-22T23:15:00", "at most one message each 30m, the next at 23:15 UTC"),
        ),
        (
            Pace(quiet("00:00", "07:00"), minimum_gap=5_400), "2026-11-22T22:30:00",
            ("2026-11-23T06:00:00", "quiet hours until 07:00 Europe/Berlin"),
        ),
        (
            Pace(digest=DAILY, minimum_gap=1_800), "2026-11-22T22:45:00",
            ("2026-11-23T07:00:00", "digest at 08:00 Europe/Berlin"),
        ),
        (Pace(NIGHT, digest=replace(DAILY, at=0)), None, ("2026-11-23T06:00:00", "quiet hours until 07:00 Europe/Berlin")),
    ],
)  # fmt: skip
def test_what_is_longest_counts_and_says_so(pace: Pace, last_left: str | None, held: tuple[str, str] | None) -> None:
    past = timing.Past(AT_NIGHT - MINUTE, None if last_left is None else at(last_left))
    assert timing.hold(pace, LESSER, AT_NIGHT, past) == (None if held is None else timing.Hold(at(held[0]), held[1]))


def test_a_digest_that_was_missed_is_not_waited_for_again() -> None:
    assert timing.hold(Pace(digest=DAILY), LESSER, AT_NIGHT, timing.Past(AT_NIGHT - 24 * 60 * MINUTE)) is None


@pytest.mark.parametrize(("seconds", "text"), [(1_800, "30m"), (5_400, "1h30m"), (90, "1m30s"), (86_400, "24h")])
def test_spans_as_people_write_them(seconds: int, text: str) -> None:
    assert timing.span_of(seconds) == text

"""What the page makes of seconds: ratios over days, words for people, and bars."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.web.render.bars import bars, summary, tell
from consumers.web.render.uptime import DayUptime, mean, overall, percent
from consumers.web.render.words import duration
from schemas.vocabulary import CellStatus
from tests.builders.acme import TODAY, day_uptime, ninety_days
from tests.builders.views import DEGRADED, MAJOR, MASKED, OPERATIONAL, PARTIAL

UNKNOWN = DayUptime(TODAY, {}, None)
seconds = st.dictionaries(st.sampled_from([DEGRADED, PARTIAL, MAJOR, MASKED]), st.integers(0, 20_000))
days = st.lists(seconds.map(lambda lost: day_uptime(TODAY, lost)) | st.just(UNKNOWN), max_size=8)


@given(days, days)
def test_the_overall_ratio_lies_among_its_days_and_is_additive(first: list[DayUptime], second: list[DayUptime]) -> None:
    known = [each for each in first + second if each.ratio is not None]
    found = overall(first + second)
    if not known:
        assert found is None
        return
    assert found is not None
    ratios = [each.ratio for each in known if each.ratio is not None]
    assert min(ratios) - 1e-9 <= found <= max(ratios) + 1e-9
    total = sum(each.accounted for each in known)
    parts = [(overall(part), sum(each.accounted for each in part)) for part in (first, second)]
    assert found * total == pytest.approx(sum(ratio * weight for ratio, weight in parts if ratio is not None))


def test_a_day_that_has_only_begun_weighs_less() -> None:
    yesterday, today = day_uptime(TODAY, {}), day_uptime(TODAY, {MAJOR: 3_600}, length=3_600)
    assert overall([yesterday, today]) == pytest.approx(86_400 / 90_000)


def test_a_group_is_the_mean_of_what_is_known() -> None:
    assert mean([1.0, None, 0.5]) == 0.75
    assert mean([None]) is None


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.0, "100 %"), (0.9999999999, "99.99 %"), (0.99999, "99.99 %"), (0.9998, "99.98 %"), (0.29, "29.00 %"),
     (0.0, "0.00 %"), (-0.1, "0.00 %")],
)  # fmt: skip
def test_a_percentage_is_never_rounded_up(ratio: float, expected: str) -> None:
    assert percent(ratio) == expected


@given(st.floats(0, 1))
def test_only_a_spotless_record_reads_one_hundred(ratio: float) -> None:
    assert (percent(ratio) == "100 %") == (ratio == 1)


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, "1 minute"), (20, "1 minute"), (90, "2 minutes"), (3_600, "1 hour"), (4_800, "1 hour and 20 minutes"),
     (86_400, "1 day"), (93_780, "1 day, 2 hours and 3 minutes")],
)  # fmt: skip
def test_a_duration_has_whole_minutes_and_at_least_one(length: int, expected: str) -> None:
    assert duration(length) == expected


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ({}, "18 Nov 2026: no downtime"),
        ({MAJOR: 300, DEGRADED: 60}, "18 Nov 2026: major outage for 5 minutes, degraded performance for 1 minute"),
        ({MASKED: 7_200}, "18 Nov 2026: under maintenance for 2 hours"),
    ],
)
def test_a_day_tells_what_happened(lost: dict[CellStatus, int], expected: str) -> None:
    assert tell(day_uptime(TODAY, lost)) == expected


def test_a_day_without_data_says_so() -> None:
    assert tell(UNKNOWN) == "18 Nov 2026: no data"
    assert summary("API", [UNKNOWN]) == "API: no uptime data yet"
    assert UNKNOWN.worst is None


@pytest.mark.parametrize(
    ("lost", "worst"),
    [({}, OPERATIONAL), ({MASKED: 1}, MASKED), ({MASKED: 9, DEGRADED: 1}, DEGRADED), ({PARTIAL: 9, MAJOR: 1}, MAJOR),
     ({MAJOR: 0}, OPERATIONAL)],
)  # fmt: skip
def test_a_day_has_the_colour_of_its_worst(lost: dict[CellStatus, int], worst: CellStatus) -> None:
    assert day_uptime(date(2026, 1, 1), lost).worst is worst


def test_days_with_trouble_stand_out_without_their_colour() -> None:
    drawn = bars("API", ninety_days({0: {MAJOR: 60}}, unknown=1))
    assert drawn.count("<rect") == 90
    assert drawn.count('height="36"') == 1
    assert drawn.count('height="7"') == 1
    assert drawn.count('height="29"') == 88


def test_a_name_is_no_markup_in_the_bars() -> None:
    assert "<i>" not in bars('<i>"', ninety_days({}))

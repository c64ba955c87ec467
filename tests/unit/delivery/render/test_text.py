"""Plain text fits what a provider counts, ends where people would end it, and keeps what must be kept."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.render.graphemes import boundaries, clusters
from consumers.delivery.render.text import ELLIPSIS, Parts, cut_to, fitted, parts_of, plain_of, text_of, utf8_bytes
from schemas.vocabulary import Kind
from tests.unit.delivery.channels.messages import NOTICE, message, notice

LINK = re.compile(r"https?://\S+")


def weighted(text: str) -> int:
    """Count like X: links are 23, what is not Latin is 2."""
    plain, links = LINK.subn("", unicodedata.normalize("NFC", text))
    return 23 * links + sum(1 if ord(character) < 0x1100 else 2 for character in plain)


def escaped(text: str) -> int:
    return len(text.replace("&", "&amp;").replace("<", "&lt;"))


MEASURES: dict[str, Callable[[str], int]] = {
    "characters": len, "bytes": utf8_bytes, "clusters": clusters, "weighted": weighted, "escaped": escaped,
}  # fmt: skip
WORDS = st.sampled_from([
    "Some", "requests", "fail", "\U0001f469\u200d\U0001f680", "\U0001f1e9\U0001f1ea", "e\u0301", "日本語の文章は空白なしで続く", "한글", "각", "&<&",
    "https://status.acme.example/incidents/5f0c1c7f3f0e4c1b9a3c0a51d1f0b7aa", "x" * 80, "नमस्ते", "\U0001f44d\U0001f3fd",
])  # fmt: skip
TEXTS = st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=60)
measured = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


# --- clusters ---


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("abc", ["a", "b", "c"]),
        ("e\u0301a", ["e\u0301", "a"]),
        ("\r\n\n", ["\r\n", "\n"]),
        ("\U0001f469\u200d\U0001f680!", ["\U0001f469\u200d\U0001f680", "!"]),
        ("\u2764\ufe0f\u200d\U0001f525", ["\u2764\ufe0f\u200d\U0001f525"]),
        ("\U0001f44d\U0001f3fd\U0001f44d", ["\U0001f44d\U0001f3fd", "\U0001f44d"]),
        (
            "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f1fa",
            ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7", "\U0001f1fa"],
        ),
        ("각각", ["각", "각"]),
        ("\u1100\u1161\u11a8\u1100", ["\u1100\u1161\u11a8", "\u1100"]),
        ("a\u200db", ["a\u200d", "b"]),
        ("1\ufe0f\u20e32", ["1\ufe0f\u20e3", "2"]),
        ("\n\u0301", ["\n", "\u0301"]),
        ("\U0001f3f4\U000e0067\U000e007f.", ["\U0001f3f4\U000e0067\U000e007f", "."]),
        ("กำ", ["กำ"]),
    ],
)
def test_clusters_are_those_of_unicode(text: str, found: list[str]) -> None:
    places = boundaries(text)
    assert [text[start:end] for start, end in pairwise(places)] == found
    assert clusters(text) == len(found)


@given(st.text())
def test_clusters_make_up_the_text(text: str) -> None:
    places = boundaries(text)
    assert places[0] == 0
    assert places[-1] == len(text)
    assert places == sorted(set(places))


# --- cutting ---


@measured
@given(text=TEXTS, limit=st.integers(0, 120))
def test_what_is_cut_fits_and_is_whole_at_its_end(measure: Callable[[str], int], text: str, limit: int) -> None:
    result = cut_to(text, limit, measure)
    assert measure(result) <= limit
    if measure(text) <= limit:
        assert result == text
        return
    if not result:
        assert limit < measure(ELLIPSIS) or measure(text[: boundaries(text)[1]] + ELLIPSIS) > limit
        return
    assert result.endswith(ELLIPSIS)
    kept = result.removesuffix(ELLIPSIS).removesuffix(" ") if LINK.search(result) else result.removesuffix(ELLIPSIS)
    assert text.startswith(kept.rstrip())
    end = len(kept.rstrip())
    assert any(end <= place and not text[end:place].strip() for place in boundaries(text))
    assert not [found for found in LINK.finditer(text) if found.start() < end < found.end()]


@given(text=TEXTS, limit=st.integers(1, 120))
def test_no_more_is_given_up_than_a_word_or_a_link(text: str, limit: int) -> None:
    result = cut_to(text, limit)
    if len(text) > limit:
        longest = max(map(len, re.findall(r"\S+", text)), default=0)
        assert (
            len(result)
            >= min(limit, len(text.rstrip())) - max(longest, 50) - len(text) + len(" ".join(text.split())) - 3
        )


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Some requests fail", 18, "Some requests fail"),
        ("Some requests fail", 17, "Some requests…"),
        ("Some requests fail", 13, "Some…"),
        ("Some requests fail", 3, "So…"),
        ("Some requests fail", 1, "…"),
        ("Some requests fail", 0, ""),
        ("See https://a.example/b now", 26, "See https://a.example/b …"),
        ("See https://a.example/b now", 24, "See…"),
        ("https://a.example/b", 10, "…"),
        ("x" * 100, 10, "x" * 9 + "…"),
    ],
)
def test_cutting(text: str, limit: int, expected: str) -> None:
    assert cut_to(text, limit) == expected


# --- what must stay ---

PARTS = st.builds(
    Parts,
    headline=st.lists(WORDS.filter(lambda word: "https" not in word), min_size=1, max_size=6).map(" ".join),
    body=TEXTS.map(str.strip),
    promise=st.sampled_from(["", "Next update by 15:30 CET."]),
    link=st.sampled_from(["", "https://status.acme.example/incidents/1"]),
)


@measured
@given(parts=PARTS, limit=st.integers(4, 300))
def test_headline_and_link_stay_as_long_as_they_fit(measure: Callable[[str], int], parts: Parts, limit: int) -> None:
    result = fitted(parts, limit, measure)
    assert measure(result) <= limit
    must = "\n\n".join(filter(None, (parts.headline, parts.link)))
    if measure(must) <= limit:
        assert result.startswith(parts.headline)
        assert result.endswith(parts.link)
    if measure("\n\n".join(filter(None, (parts.headline, parts.body, parts.promise, parts.link)))) <= limit:
        assert all(part in result for part in (parts.body, parts.promise))


def test_what_is_given_up_in_which_order() -> None:
    parts = Parts("Resolved: API errors", "All requests work again.", "Next update by 15:30.", "https://a.example/1")
    headline, body, promise, link = parts.headline, parts.body, parts.promise, parts.link
    for limit, kept in (
        (200, (headline, body, promise, link)),
        (90, (headline, body, promise, link)),
        (89, (headline, body, link)),
        (66, (headline, "All requests work…", link)),
        (52, (headline, link)),
        (41, (headline, link)),
        (35, ("Resolved: API…", link)),
        (15, ("Resolved: API…",)),
    ):
        assert fitted(parts, limit) == "\n\n".join(kept), limit
    assert fitted(replace(parts, body="x"), 67) == f"{headline}\n\nx\n\n{promise}\n\n{link}"
    assert fitted(replace(parts, body="All " + "x" * 80), 66) == f"{headline}\n\n{promise}\n\n{link}"


# --- what is said ---


def test_a_notice_as_text() -> None:
    assert text_of(message(), 1_000) == (
        "Investigating: API errors in Europe\n\n"
        "Some requests fail.\n\n- reads work\n- writes do not\n\n"
        "Next update by 16:00 CET.\n\n"
        f"https://status.acme.example/incidents/{NOTICE.subject_id}"
    )
    assert "https://" not in text_of(message(), 1_000, link=False)


def test_a_drill_says_so_first() -> None:
    assert text_of(message(drill=True), 40).startswith("[DRILL] Investigating:")


def test_what_was_over_before_it_could_be_told() -> None:
    assert parts_of(message(over=True)).headline == "Happened, and over: API errors in Europe"


def test_a_maintenance_has_a_time() -> None:
    parts = parts_of(message(notice(kind=Kind.MAINTENANCE, status="scheduled")))
    assert parts.headline == "Maintenance scheduled: API errors in Europe"
    assert parts.promise.startswith("Planned from 2026-11-22 15:29 CET to ")


def test_a_confirmation_is_its_link() -> None:
    asked = message(
        notice(kind=Kind.CONFIRMATION, status="pending"), confirm_url="https://status.acme.example/confirm/t"
    )
    said = "Please confirm your subscription to Acme Cloud\n\nhttps://status.acme.example/confirm/t"
    assert text_of(asked, 160, link=False) == said
    known = message(notice(kind=Kind.CONFIRMATION, status="pending"))
    assert text_of(known, 160) == "You are subscribed to Acme Cloud"


def test_a_reminder() -> None:
    parts = parts_of(message(notice(kind=Kind.REMINDER)))
    assert parts.headline.startswith("[Acme Cloud] Update promised by ")
    assert parts.body == ""


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        ("Some **requests** _fail_ with `503`.", "Some requests fail with 503."),
        ("One\ntwo\n\nthree", "One\ntwo\n\nthree"),
        ("# Cause\n\nA *cable*.", "Cause\n\nA cable."),
        ("- a\n- b\n  - c\n\nend", "- a\n- b\n  - c\n\nend"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("See [the page](https://a.example/x).", "See the page (https://a.example/x)."),
        ("See <https://a.example/x>, <a@b.example>.", "See https://a.example/x, a@b.example."),
        ("[x](javascript:alert(1)) ![chart](https://a.example/i.png)", "[x](javascript:alert(1)) chart"),
        ("```\na = 1\n\nb\n```", "a = 1\n\nb"),
        ("> quoted\n\n---\n\n&amp; &lt;b&gt;", "quoted\n\n& <b>"),
        ("<script>x</script>", "<script>x</script>"),
        ("", ""),
    ],
)
def test_markdown_as_plain_text(body: str, plain: str) -> None:
    assert plain_of(body) == plain


@given(st.text(alphabet="ab \n*_`#->[]()1.!<&\\", max_size=80))
def test_any_markdown_is_some_text(body: str) -> None:
    assert plain_of(body) == plain_of(body).strip()

"""Public posts fit, by X's own algorithm and by Mastodon's rule, and mention nobody."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.render.graphemes import clusters
from consumers.delivery.render.posts import mastodon_length, post_of, x_weight
from tests.fakes.vendors.x_text import official_weight
from tests.unit.delivery.channels.messages import message, notice

PIECES = st.sampled_from([
    "API", "errors", " ", "\n\n", "x", "-", "_", ".", ":", "/", "@", "?", "(", ")", "é", "e\u0301", "Ω", "я", "日本", "中国",
    "한", "👩‍👩‍👧", "😀", "🇩🇪", "1️⃣", "https://", "http://", "acme.com", "status.acme.com", "acme.example", "日本語.jp", ".中国", ".भारत",
    "münchen.de", "xn--wgv71a119e.jp", "/incidents/5f0c", "?a=b", "#c", "e.g.", "v1.2.3", "a.b", "co", ".io", "t.co/abc", "…",
    "\u200b", "&", "[", "ipfs://x", "magnet:?x",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0),
        ("API errors", 10),
        ("日本語", 6),
        ("😀", 2),
        ("https://status.acme.com/incidents/5f0c1c7f3f0e4c1b9a3c0a51d1f0b7aa", 23),
        ("see https://status.acme.com/ now", 4 + 23 + 4),
    ],
)
def test_what_is_plain_is_weighed_exactly(text: str, weight: int) -> None:
    assert x_weight(text) == weight == official_weight(text)


@given(TEXTS)
def test_no_text_weighs_more_on_x_than_was_thought(text: str) -> None:
    assert x_weight(text) >= official_weight(text)


def test_a_text_at_which_the_official_algorithm_takes_minutes_is_weighed() -> None:
    assert x_weight("a." * 100_000) == 200_000


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("API errors", 10),
        ("👩‍👩‍👧", 1),
        ("https://status.acme.com/incidents/5f0c1c7f3f0e4c1b9a3c0a51d1f0b7aa", 23),
        ("https://a.io", 23),
    ],
)
def test_mastodon_counts_clusters_and_links(text: str, length: int) -> None:
    assert mastodon_length(text) == length


@given(TEXTS)
def test_a_link_that_mastodon_may_not_recognise_counts_whole(text: str) -> None:
    if "http" not in text:
        assert mastodon_length(text) >= clusters(text)


def post(title: str, body: str, *, link: bool = True) -> str:
    about = notice(title=title, body=body)
    return post_of(message(about), 280, x_weight, link=link)


@given(TEXTS, TEXTS, st.booleans())
def test_a_post_fits_and_is_composed(title: str, body: str, link: bool) -> None:
    text = post(title, body * 20, link=link)
    assert official_weight(text) <= 280
    assert unicodedata.is_normalized("NFC", text)
    assert text.startswith("Investigating:")


def test_the_link_is_kept_whole_where_it_is_wanted() -> None:
    given = message(notice(body="Some requests fail. " * 50, page_url="https://status.acme.com"))
    text = post_of(given, 280, x_weight)
    assert text.endswith(f"https://status.acme.com/incidents/{given.notice.subject_id}")
    assert "https" not in post_of(given, 280, x_weight, link=False)
    assert 250 < official_weight(text) <= 280


def test_nobody_is_mentioned() -> None:
    text = post("@everyone look", "cc @kim, \uff20lee and (@max@social.example); mail ops@acme.example")
    assert "@everyone" not in text
    assert "@kim" not in text
    assert "\uff20lee" not in text
    assert "@max" not in text
    assert "ops@acme.example" in text
    assert "@\u200beveryone look" in text


def test_a_drill_says_so() -> None:
    assert post_of(message(drill=True), 280, x_weight).startswith("[DRILL] Investigating")

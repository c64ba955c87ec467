"""Segments are counted as carriers do, one character does not make a text dear, and a text fits whatever is in it."""

# ruff: noqa: RUF001 -- confusables are what is tested

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.render.sms import GSM, GSM_EXTENDED, STOP_HINT, gsm_of, segments, sms_text
from schemas.vocabulary import Kind
from tests.unit.delivery.channels.messages import message, notice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("x", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # 152 places and an escape that must not be torn from its character
        ("x" * 152 + "€" + "x" * 152, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("😀" * 35, 1),
        ("я" * 66 + "😀" * 34, 3),
        ("x" * 71 + "я", 2),
    ],
)
def test_segments(text: str, expected: int) -> None:
    assert segments(text) == expected


def test_the_alphabet_is_the_standards() -> None:
    assert (len(GSM), len(GSM_EXTENDED)) == (127, 10)
    """Of the 128 places of the table one is the escape."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it’s “down” – really…", 'it\'s "down" - really...'),
        ("Zażółć gęślą jaźń", "Zazolc gesla jazn"),
        ("ça va, garçon? ½ → ¾", "ca va, garcon? 1/2 -> 3/4"),
        ("müde Größe ñ Å @ €", "müde Größe ñ Å @ €"),
        ("u\u0308ber", "über"),
        ("🚀 Launched\u200b ❤️", " Launched "),
        ("a\u00a0b\u2009c", "a b c"),
        ("Łódź œuvre ẞ", "Lódz oeuvre SS"),
        ("Сбой", None),
        ("障害", None),
        ("ok 障 ok", None),
    ],
)
def test_letters_that_only_look_otherwise(text: str, expected: str | None) -> None:
    written = gsm_of(text)
    assert written == (expected.replace("ó", "o") if expected else None)


@given(st.text())
def test_what_is_written_in_the_alphabet_is_in_it(text: str) -> None:
    written = gsm_of(text)
    assert written is None or set(written) <= GSM | GSM_EXTENDED


def test_an_update() -> None:
    text = sms_text(message(notice(title="“API” errors 🚀", body="Some requests fail…")), 2)
    assert text == (
        'Acme Cloud: Investigating: "API" errors\n'
        "Some requests fail...\n"
        "Next update by 16:00 CET.\n"
        "https://status.acme.example/incidents/1afc982a2c3ac53f5137c91acc6b1f24\n"
        "Reply STOP to unsubscribe"
    )
    assert segments(text) == 2


def test_link_and_hint_can_be_left_out() -> None:
    text = sms_text(message(), 2, link=False, stop_hint=False)
    assert "https://" not in text
    assert STOP_HINT not in text


def test_a_drill_says_so_and_what_is_over_too() -> None:
    assert sms_text(message(drill=True), 2).startswith("Acme Cloud: [DRILL] Investigating: ")
    assert sms_text(message(notice(status="resolved"), over=True), 2).startswith("Acme Cloud: Happened, and over: ")


@given(page=st.text(max_size=300))
def test_a_code_is_one_segment_and_nothing_else_to_press(page: str) -> None:
    asked = message(notice(kind=Kind.CONFIRMATION, status="pending", page_name=page), code="012345")
    text = sms_text(asked, 2)
    assert text.startswith("012345 is your code to subscribe to ")
    assert segments(text) == 1
    assert "http" not in text.replace(page, "")


def test_a_code_names_the_page_where_it_can() -> None:
    asked = notice(kind=Kind.CONFIRMATION, status="pending")
    expected = "012345 is your code to subscribe to Acme Cloud, good for 10 minutes. Not asked for it? Ignore this."
    assert sms_text(message(asked, code="012345"), 1) == expected


def test_a_confirmation_keeps_its_link_and_needs_no_hint() -> None:
    asked = message(notice(kind=Kind.CONFIRMATION), confirm_url="https://status.acme.example/confirm/t0ken")
    assert sms_text(asked, 1, link=False) == (
        "Please confirm your subscription to Acme Cloud\nhttps://status.acme.example/confirm/t0ken"
    )


TEXTS = st.text(st.sampled_from("abc DEF\n’…€😀я障é-*_[]()") | st.characters(), max_size=600)


@given(title=TEXTS, body=TEXTS, limit=st.integers(1, 10), link=st.booleans())
def test_a_text_fits_and_says_how_to_leave(title: str, body: str, limit: int, *, link: bool) -> None:
    text = sms_text(message(notice(title=title, body=body)), limit, link=link)
    assert 1 <= segments(text) <= limit
    assert text.endswith(STOP_HINT)


@given(body=st.text(st.sampled_from("abc ’…–é🚀"), min_size=1, max_size=600))
def test_decoration_never_costs_the_cheap_alphabet(body: str) -> None:
    assert set(sms_text(message(notice(body=body)), 2)) <= GSM | GSM_EXTENDED

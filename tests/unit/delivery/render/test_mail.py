"""What stands in a mail: headers that cannot be forged, links that survive, and the words for each kind."""

import re
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery.channel import Message
from consumers.delivery.render.mail import MailComposer
from consumers.delivery.render.mail_texts import list_id
from consumers.delivery.render.words import words_of
from schemas.events import Effect, Notice
from schemas.vocabulary import CellStatus, IncidentStatus, Kind, MaintenanceStatus
from tests.fakes.smtp import complaint_of, parsed
from tests.unit.delivery.channels.messages import PUBLISHED, message, notice

COMPOSER = MailComposer(Address("Acme Stätus", addr_spec="status@acme.example"), "acme.example")
HEADERS = {
    "List-Id", "References", "In-Reply-To", "Precedence", "To", "Message-ID", "X-Tocsin-Notification",
    "List-Unsubscribe", "List-Unsubscribe-Post", "Subject", "From", "Date", "Auto-Submitted", "MIME-Version",
    "Content-Type",
}  # fmt: skip


def mail(what: Message) -> EmailMessage:
    return parsed(COMPOSER.compose(what, "kim@customer.example"))


def text(of: EmailMessage, subtype: str = "plain") -> str:
    part = of.get_body((subtype,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def test_the_headers_of_a_notice() -> None:
    what = message()
    found = mail(what)
    assert set(found.keys()) == HEADERS
    assert found["Subject"] == "[Acme Cloud] Investigating: API errors in Europe"
    assert found["From"] == "Acme Stätus <status@acme.example>"
    assert found["Message-ID"] == f"<{what.notification}@acme.example>"
    assert found["X-Tocsin-Notification"] == what.notification
    assert found["List-Unsubscribe"] == f"<{what.unsubscribe_url}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["List-Id"] == "<status.acme.example>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["References"] == found["In-Reply-To"] == f"<{what.notice.subject_id}@acme.example>"
    assert found["Date"].datetime.timestamp() * 1_000_000 == PUBLISHED


@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_both_texts_say_all_of_it(subtype: str) -> None:
    what = message()
    said = text(mail(what), subtype)
    for phrase in (
        "API errors in Europe",
        "Investigating",
        "reads work",
        "API (Europe)",
        "major outage",
        "degraded performance",
        "16:00 CET",  # the promise, in the page's zone
        f"https://status.acme.example/incidents/{what.notice.subject_id}",
        "Unsubscribe",
    ):
        assert phrase in said
    assert what.unsubscribe_url in said.replace("&amp;", "&")


def test_markdown_becomes_html_and_nothing_active_gets_through() -> None:
    body = (
        "**bold** <script>alert(1)</script> <img src=x onerror=alert(1)> ![i](https://t.example/pixel)\n\n"
        "[a](javascript:alert(1)) [b](data:text/html,x) [c](https://ok.example/) <style>p{}</style>"
    )
    said = text(mail(message(notice(body=body, update="markdown"))), "html")
    assert "<strong>bold</strong>" in said
    assert 'href="https://ok.example/"' in said
    assert not re.search(r"<(script|img|iframe|style)|(href|src)=\"(javascript|data)|<[^>]+onerror", said)


def test_names_are_escaped_in_html() -> None:
    what = notice(title="<b>a & b</b>", page_name="<i>", components=["<u>x</u>", "y"], update="escaped")
    said = text(mail(message(what)), "html")
    assert "<h1" in said
    assert not re.search(r"<(b|i|u)>", said)
    assert "&lt;b&gt;a &amp; b&lt;/b&gt;" in said


ANY_TEXT = st.text(max_size=400) | st.from_regex(
    r"(\r?\n(Bcc|X-Tocsin-Notification): [a-z@.]{1,20}){1,3}", fullmatch=True
)


@settings(max_examples=60, deadline=None)
@given(title=ANY_TEXT, page=ANY_TEXT, body=ANY_TEXT, name=ANY_TEXT, status=st.text(max_size=20))
def test_no_text_forges_a_header_or_breaks_a_mail(title: str, page: str, body: str, name: str, status: str) -> None:
    what = message(notice(title=title, page_name=page, body=body, status=status, components=[name, name]))
    raw = COMPOSER.compose(what, "kim@customer.example")
    assert complaint_of(raw, options=()) is None
    found = parsed(raw)
    assert sorted(found.keys()) == sorted(HEADERS)
    assert found["Subject"].split() == words_of(what).headline.split()
    assert found["X-Tocsin-Notification"] == what.notification
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 78
    assert what.unsubscribe_url in text(found)


URLS = st.builds(
    "https://status.acme.example/u/{}".format,
    st.text(st.sampled_from("abcXYZ0189-._~:/?#[]@!$&'()*+,;=%"), min_size=1, max_size=700),
)


@settings(max_examples=60, deadline=None)
@given(unsubscribe=URLS, confirm=URLS)
def test_links_survive_whatever_their_length(unsubscribe: str, confirm: str) -> None:
    what = message(notice(kind=Kind.CONFIRMATION, update="links"), unsubscribe_url=unsubscribe, confirm_url=confirm)
    found = mail(what)
    assert found["List-Unsubscribe"] == f"<{unsubscribe}>"
    for link in (unsubscribe, confirm):
        assert link in text(found).split("\n")
        assert f'href="{_escaped(link)}"' in text(found, "html")


def _escaped(link: str) -> str:
    return link.replace("&", "&amp;").replace("'", "&#x27;")


def test_each_recipient_gets_links_of_his_own() -> None:
    mails = [
        COMPOSER.compose(message(unsubscribe_url=f"https://status.acme.example/u/{n}-"), "kim@customer.example")
        for n in range(3)
    ]
    for n, raw in enumerate(mails):
        assert re.findall(r"/u/(\d)-", text(parsed(raw)) + text(parsed(raw), "html")) == [str(n)] * 2


def test_a_notice_that_changed_under_the_same_id_is_rendered_anew() -> None:
    for title in ("One", "Two", "One"):
        assert title in text(mail(message(notice(title=title, update="same"))))
    plain = mail(message(notice(update="same")))
    assert "over" not in plain["Subject"]
    assert "already over" in text(mail(message(notice(update="same"), over=True)))


def test_all_mails_of_an_incident_are_one_thread_and_no_two_share_an_id() -> None:
    first, second = (mail(message(notice(update=update))) for update in ("thread1", "thread2"))
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]


def test_a_retry_carries_the_same_message_id() -> None:
    one, other = (MailComposer(Address("", addr_spec="s@acme.example"), "acme.example") for _ in range(2))
    ids = {parsed(each.compose(message(), "kim@customer.example"))["Message-ID"] for each in (one, other)}
    assert len(ids) == 1


def test_without_a_link_there_is_no_header_and_no_line_for_it() -> None:
    found = mail(message(notice(kind=Kind.REMINDER, update="no link"), unsubscribe_url=""))
    assert "List-Unsubscribe" not in found
    assert "List-Unsubscribe-Post" not in found
    assert "nsubscribe" not in text(found) + text(found, "html")


@pytest.mark.parametrize(
    "url", ["https://status.acme.example/\r\nBcc: eve@evil.example", "https://bücher.example/", "x" * 2000]
)
def test_a_link_that_fits_into_no_header_is_an_error_and_not_a_header(url: str) -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        COMPOSER.compose(message(unsubscribe_url=url), "kim@customer.example")


def _incident(status: str) -> Notice:
    return notice(status=status, update=status)


def _maintenance(status: str) -> Notice:
    under = [Effect("api", "eu", CellStatus.MAINTENANCE)]
    return notice(kind=Kind.MAINTENANCE, status=status, update=status, affects=under, components=["API (Europe)"])


KINDS: list[tuple[Notice, dict[str, Any], str, list[str]]] = [
    (
        _incident(IncidentStatus.INVESTIGATING),
        {},
        "[Acme Cloud] Investigating: API errors in Europe",
        ["Next update by"],
    ),
    (_incident(IncidentStatus.IDENTIFIED), {}, "[Acme Cloud] Identified: API errors in Europe", []),
    (_incident(IncidentStatus.MONITORING), {}, "[Acme Cloud] Monitoring: API errors in Europe", []),
    (_incident(IncidentStatus.RESOLVED), {}, "[Acme Cloud] Resolved: API errors in Europe", []),
    (_incident(IncidentStatus.POSTMORTEM), {}, "[Acme Cloud] Post-mortem: API errors in Europe", []),
    (
        _incident(IncidentStatus.RESOLVED),
        {"over": True},
        "[Acme Cloud] Resolved: API errors in Europe",
        ["This happened and is already over."],
    ),
    (
        _incident(IncidentStatus.INVESTIGATING),
        {"drill": True},
        "[DRILL] [Acme Cloud] Investigating: API errors in Europe",
        ["rehearsal"],
    ),
    (
        _maintenance(MaintenanceStatus.SCHEDULED),
        {},
        "[Acme Cloud] Maintenance scheduled: API errors in Europe",
        ["Planned from", "2026-11-22 15:29 CET to 16:00 CET"],
    ),
    (_maintenance(MaintenanceStatus.IN_PROGRESS), {}, "[Acme Cloud] Maintenance in progress: API errors in Europe", []),
    (
        _maintenance(MaintenanceStatus.VERIFYING),
        {},
        "[Acme Cloud] Maintenance being verified: API errors in Europe",
        [],
    ),
    (_maintenance(MaintenanceStatus.COMPLETED), {}, "[Acme Cloud] Maintenance completed: API errors in Europe", []),
    (
        notice(kind=Kind.REMINDER, update="reminder"),
        {},
        "[Acme Cloud] Update promised by 16:00 CET: API errors in Europe",
        ["promised an update", "Open the incident"],
    ),
    (
        notice(kind=Kind.CONFIRMATION, update="confirm", body=""),
        {"confirm_url": "https://status.acme.example/confirm/t0ken"},
        "[Acme Cloud] Please confirm your subscription",
        ["https://status.acme.example/confirm/t0ken", "hopefully you"],
    ),
    (
        notice(kind=Kind.CONFIRMATION, update="known", body=""),
        {"manage_url": "https://status.acme.example/manage/t0ken"},
        "[Acme Cloud] Your subscription",
        ["https://status.acme.example/manage/t0ken", "asked for the link"],
    ),
]


@pytest.mark.parametrize(("about", "options", "subject", "phrases"), KINDS, ids=[case[2] for case in KINDS])
def test_every_kind_has_its_words(about: Notice, options: dict[str, Any], subject: str, phrases: list[str]) -> None:
    found = mail(message(about, **options))
    assert found["Subject"] == subject
    plain, rich = text(found), re.sub(r"<[^>]+>", "", text(found, "html")) + text(found, "html")
    for phrase in phrases:
        assert phrase in plain
        assert phrase in rich
    assert "{{" not in plain + rich
    assert not re.search(r"\n{4,}", plain)


def test_every_status_has_words() -> None:
    from consumers.delivery.render.words import CELL_WORDS, STATUS_WORDS

    assert set(STATUS_WORDS) == {*IncidentStatus, *MaintenanceStatus}
    assert set(CELL_WORDS) == set(CellStatus)


def test_a_maintenance_links_to_its_own_page() -> None:
    about = _maintenance(MaintenanceStatus.SCHEDULED)
    assert f"https://status.acme.example/maintenances/{about.subject_id}" in text(mail(message(about)))


def test_a_promise_on_another_day_carries_its_date() -> None:
    about = notice(promise_at=PUBLISHED + 12 * 3600 * 1_000_000, update="tomorrow")
    assert "2026-11-23 03:30 CET" in text(mail(message(about)))


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC", "15:00 UTC"), ("No/Such_Zone", "15:00 UTC"), ("../etc/passwd", "15:00 UTC")]
)
def test_an_unknown_time_zone_is_utc(zone: str, shown: str) -> None:
    assert words_of(message(notice(timezone=zone))).promise == shown


@pytest.mark.parametrize("at", [-(2**62), 2**62, 253_402_300_799_999_999, -62_135_596_800_000_000])
def test_times_beyond_the_calendar_stop_no_mail(at: int) -> None:
    about = notice(promise_at=at, published_at=at, started_at=at, update=f"at {at}")
    mail(message(about))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("https://status.acme.example", "status.acme.example"),
        ("https://status.example.com/teams/acme/", "acme.teams.status.example.com"),
        ("http://127.0.0.1:8080", "acme.example"),
        ("http://[::1]:8080", "acme.example"),
        ("http://localhost:8080", "acme.example"),
        ("https://bücher.example", "acme.example"),
        ("", "acme.example"),
    ],
)
def test_the_list_id(page: str, expected: str) -> None:
    assert list_id(page, "acme.example") == expected


def test_a_very_long_body_is_cut_and_says_where_it_goes_on() -> None:
    about = notice(body="word " * 20_000, update="long")
    said = text(mail(message(about)))
    assert len(said) < 25_000
    assert "word…" in said
    assert about.subject_id in said


def _nested(depth: int) -> str:
    return ">" * depth + " x\n\n" + "[" * depth + "\n\n" + "*" * depth


@pytest.mark.parametrize("make", [_nested, lambda n: "- " * n, lambda n: "`" * n, lambda n: "![" * n])
def test_hostile_markdown_is_rendered_in_bounded_depth(make: Callable[[int], str]) -> None:
    assert "</html>" in text(mail(message(notice(body=make(5_000), update="hostile"))), "html")

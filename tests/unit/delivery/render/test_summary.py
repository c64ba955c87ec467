"""One message for several, as each channel that combines writes it: what there is, in which order, and what is cut."""

from msgspec.structs import replace

from consumers.delivery.channel import Endpoint, Message
from consumers.delivery.render.card import card_of
from consumers.delivery.render.mail_texts import MailTexts
from consumers.delivery.render.sms import segments, sms_text
from consumers.delivery.render.summary import summary_of
from consumers.delivery.render.text import parts_of
from consumers.delivery.render.words import words_of
from schemas.events import Micros
from schemas.vocabulary import Impact, IncidentStatus, Kind, MaintenanceStatus
from tests.unit.delivery.pipeline import MINUTE, NOON, OPENING, RESOLVED, notice_of


def message(
    number: int, title: str, status: IncidentStatus = OPENING, at: Micros = NOON, *, over: bool = False
) -> Message:
    notice = replace(notice_of(status, f"subject {number}", at), title=title, impact=Impact.MINOR)
    endpoint = Endpoint("ann@example.com")
    return Message(f"notification {number}", notice, endpoint, "http://status.example/unsubscribe/x", over=over)


ONE = message(1, "API errors", at=NOON + MINUTE)
TWO = message(2, "*Pay* <b>now</b> [x](y)", RESOLVED, over=True)
WORK = replace(
    message(3, "New disks"),
    notice=replace(message(3, "New disks").notice, kind=Kind.MAINTENANCE, status=MaintenanceStatus.SCHEDULED),
)
ALL = summary_of([ONE, TWO, WORK])


def test_it_says_how_much_there_is_and_lists_it_by_time() -> None:
    assert words_of(ALL).headline == "[Acme Cloud] Summary: 2 incidents, 1 maintenance"
    assert words_of(ALL).url == "http://status.example"
    assert parts_of(ALL).body.splitlines() == [
        "- Happened, and over: *Pay* <b>now</b> [x](y) (2026-03-01 12:00 UTC): Some requests fail.",
        "- Maintenance scheduled: New disks (2026-03-01 12:00 UTC): Some requests fail.",
        "- Investigating: API errors (2026-03-01 12:01 UTC): Some requests fail.",
    ]


def test_it_goes_under_the_first_ones_id_and_with_its_links() -> None:
    assert (ALL.notification, ALL.endpoint, ALL.unsubscribe_url) == (
        ONE.notification,
        ONE.endpoint,
        ONE.unsubscribe_url,
    )
    assert (ALL.over, ALL.notice.kind, ALL.notice.impact) == (False, Kind.SUMMARY, Impact.MINOR)
    worst = summary_of([ONE, replace(TWO, notice=replace(TWO.notice, impact=Impact.CRITICAL))])
    assert worst.notice.impact is Impact.CRITICAL


def test_two_summaries_are_two_notices() -> None:
    assert summary_of([ONE, TWO]).notice.update != summary_of([ONE, WORK]).notice.update
    assert summary_of([ONE, TWO]).notice.update == summary_of([TWO, ONE]).notice.update


def test_a_mail_shows_titles_as_they_are_written() -> None:
    plain, rich = MailTexts().render(ALL)
    assert "- Investigating: API errors (2026-03-01 12:01 UTC): Some requests fail.\n" in plain
    assert r"\*Pay\* <b>now</b> \[x](y)" in plain, "plain mails show Markdown as it is written"
    assert "*Pay* &lt;b&gt;now&lt;/b&gt; [x](y)" in rich
    assert rich.count("<li") == 3


def test_long_texts_are_cut_and_many_still_fit_a_text_message() -> None:
    long = [replace(ONE, notification=str(n), notice=replace(ONE.notice, body="word " * 500)) for n in range(40)]
    many = summary_of(long)
    assert max(map(len, many.notice.body.splitlines())) < 400
    text = sms_text(many, 3)
    assert segments(text) <= 3
    assert "40 incidents" in text
    assert "http://status.example" in text


def test_a_card_leads_to_the_page() -> None:
    card = card_of(ALL)
    assert (card.headline, card.link, card.cells) == (
        "Summary: 2 incidents, 1 maintenance",
        "http://status.example",
        (),
    )

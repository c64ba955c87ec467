"""The mailbox over real sockets: what comes in by SMTP is read by HTTP, and a mail's HTML can do nothing there."""

import smtplib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage

import httpx
import pytest

from tocsin.demo.catcher import KEPT, Mailbox
from tocsin.demo.ports import PortTakenError, bound, free_port, port_of
from tocsin.demo.sidecar import Sidecar

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Post:
    mailbox: Mailbox
    smtp: int
    web: str

    def send(self, *recipients: str, subject: str = "Hello", text: str = "Hi.", html: str = "") -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "status@acme.example", ", ".join(recipients), subject
        mail["X-Tocsin-Notification"] = "n1"
        mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
        with smtplib.SMTP(LOOPBACK, self.smtp) as client:
            client.send_message(mail)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.web + path, trust_env=False)


@pytest.fixture
def post() -> Iterator[Post]:
    with ExitStack() as parts:
        smtp = parts.enter_context(bound(LOOPBACK, 0, or_any=False))
        web = parts.enter_context(bound(LOOPBACK, 0, or_any=False))
        mailbox = Mailbox()
        parts.enter_context(Sidecar(mailbox, smtp, web, "http://page.example/"))
        yield Post(mailbox, port_of(smtp), f"http://{LOOPBACK}:{port_of(web)}")


def test_a_mail_is_listed_and_read(post: Post) -> None:
    post.send(
        "ada@shop.example", "bruno@parcels.example", subject="Grüße / API errors", text="It works: http://a.example/x"
    )
    assert post.mailbox.wait(lambda counts: counts == {"ada@shop.example": 1, "bruno@parcels.example": 1}, 5)
    index = post.get("/")
    assert "Grüße / API errors" in index.text
    assert 'href="/mails/1"' in index.text
    mail = post.get("/mails/1").text
    assert 'href="http://a.example/x"' in mail
    assert "X-Tocsin-Notification" in mail
    assert "Grüße" not in post.get("/mails/1/source").text  # the source is as it was sent: encoded
    assert [one["subject"] for one in post.get("/mails.json").json()["mails"]] == ["Grüße / API errors"]


def test_one_recipients_mails_alone(post: Post) -> None:
    post.send("ada@shop.example", subject="For Ada")
    post.send("bruno@parcels.example", subject="For Bruno")
    assert "For Bruno" not in post.get("/?to=ada@shop.example").text
    assert [one["to"] for one in post.get("/mails.json?to=bruno@parcels.example").json()["mails"]] == [
        ["bruno@parcels.example"]
    ]


def test_what_a_mail_says_is_text_on_the_page(post: Post) -> None:
    post.send("<script>@x.example", subject="<script>alert(1)</script>", text="<img src=x onerror=alert(1)>")
    for path in ("/", "/mails/1"):
        page = post.get(path)
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<p onclick=alert(1)>x</p>",
        "<a href='javascript:alert(1)'>x</a>",
        "<iframe src='//evil.example'></iframe>",
        "<form action='//evil.example'><input></form>",
        "<img src='http://evil.example/pixel'>",
        "<p style='background: url(http://evil.example/x); position: fixed'>x</p>",
        "<meta http-equiv=refresh content='0;url=//evil.example'>",
        "<base href='//evil.example'>",
        "<svg onload=alert(1)>",
        "<link rel=stylesheet href='//evil.example'>",
        "{0.__class__}",
    ],
)
def test_html_can_do_nothing(post: Post, html: str) -> None:
    post.send("ada@shop.example", html=f"<p>kept</p>{html}")
    answer = post.get("/mails/1/html")
    shown = answer.text.partition("<body")[2]
    assert "kept" in shown
    for bad in (
        "<script",
        "onclick",
        "onload",
        "javascript:",
        "<iframe",
        "<form",
        "<img",
        "position",
        "<meta",
        "<base",
        "<link",
    ):
        assert bad not in shown
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "img-src 'none'" in policy


def test_the_style_and_the_links_of_a_mail_are_shown(post: Post) -> None:
    post.send("ada@shop.example", html="<p style='color: red'>x</p><a href='http://page.example/confirm'>Confirm</a>")
    shown = post.get("/mails/1/html").text
    assert "color:red" in shown.replace(" ", "")
    assert 'target="_blank"' in shown
    assert 'href="http://page.example/confirm"' in shown


@pytest.mark.parametrize("path", ["/mails/7", "/mails/7/html", "/mails/x", "/mails/99999999999999999999", "/nothing"])
def test_what_is_not_there_is_404(post: Post, path: str) -> None:
    assert post.get(path).status_code == 404


def test_the_oldest_are_forgotten_but_counted() -> None:
    mailbox = Mailbox()
    for _ in range(KEPT + 5):
        mailbox.keep(("ada@shop.example",), b"Subject: x\r\n\r\n")
    assert len(mailbox.mails()) == KEPT
    assert mailbox.find(1) is None
    assert mailbox.counts() == {"ada@shop.example": KEPT + 5}


def test_waiting_in_vain_ends() -> None:
    assert not Mailbox().wait(bool, 0.01)


def test_broken_mail_is_shown_as_far_as_it_goes(post: Post) -> None:
    post.mailbox.keep(("ada@shop.example",), b"\xff\xfe not a mail \x00")
    assert post.get("/").status_code == 200
    assert post.get("/mails/1").status_code == 200
    assert post.get("/mails/1/html").status_code == 200


def test_a_taken_port_is_replaced_or_refused() -> None:
    with bound(LOOPBACK, 0, or_any=False) as taken:
        taken.listen()
        port = port_of(taken)
        with bound(LOOPBACK, port, or_any=True) as other:
            assert port_of(other) != port
        with pytest.raises(PortTakenError, match=str(port)):
            bound(LOOPBACK, port, or_any=False)
        assert free_port(LOOPBACK, port, or_any=True) != port

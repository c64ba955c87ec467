import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.links import (
    CODE_SECONDS,
    CONFIRM_SECONDS,
    CodeTicket,
    ExpiredLinkError,
    LinkError,
    Links,
    Purpose,
    Ticket,
)

KEY = bytes(range(32))
NOON = 1_772_366_400_000_000


class Hands:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def links(clock: Hands) -> Links:
    return Links("https://status.acme.example/", KEY, clock)


@pytest.mark.parametrize("purpose", Purpose)
@given(page=st.text(), subscriber=st.text())
def test_what_was_made_is_read(purpose: Purpose, page: str, subscriber: str) -> None:
    links = Links("https://status.acme.example", KEY, lambda: NOON)
    assert links.read(purpose, links.token(purpose, page, subscriber)) == Ticket(page, subscriber)


def test_a_link_stands_below_the_base(links: Links) -> None:
    url = links.unsubscribe_url("acme", "s1")
    assert url.startswith("https://status.acme.example/unsubscribe/")
    assert links.read(Purpose.UNSUBSCRIBE, url.rpartition("/")[2]) == Ticket("acme", "s1")


def test_a_link_is_good_for_its_purpose_only(links: Links) -> None:
    for made, read in ((Purpose.CONFIRM, Purpose.UNSUBSCRIBE), (Purpose.UNSUBSCRIBE, Purpose.CONFIRM)):
        with pytest.raises(LinkError):
            links.read(read, links.token(made, "acme", "s1"))


def test_a_confirmation_expires_and_a_way_out_does_not(links: Links, clock: Hands) -> None:
    confirm, leave = links.token(Purpose.CONFIRM, "acme", "s1"), links.token(Purpose.UNSUBSCRIBE, "acme", "s1")
    clock.now += CONFIRM_SECONDS * 1_000_000
    assert links.read(Purpose.CONFIRM, confirm).subscriber == "s1"
    clock.now += 2_000_000
    with pytest.raises(ExpiredLinkError):
        links.read(Purpose.CONFIRM, confirm)
    clock.now += 20 * 365 * 86_400 * 1_000_000
    assert links.read(Purpose.UNSUBSCRIBE, leave).subscriber == "s1"


def test_another_key_makes_other_links(links: Links, clock: Hands) -> None:
    other = Links("https://status.acme.example", bytes(32), clock)
    assert other.secret != links.secret
    for purpose in Purpose:
        with pytest.raises(LinkError):
            other.read(purpose, links.token(purpose, "acme", "s1"))


def test_codes_are_six_digits_and_depend_on_page_subscriber_and_key(links: Links, clock: Hands) -> None:
    codes = [links.code("acme", f"s{rank}") for rank in range(50)]
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(set(codes)) > 40
    other = Links("https://status.acme.example", bytes(32), clock)
    assert links.code("acme", "s1") == codes[1] != links.code("other", "s1")
    assert other.code("acme", "s1") != codes[1]


def test_the_place_for_a_code_is_good_for_ten_minutes(links: Links, clock: Hands) -> None:
    ticket = CodeTicket("acme", "ann", "phone")
    token = links.code_token(ticket)
    clock.now += CODE_SECONDS * 1_000_000
    assert links.read_code_token(token) == ticket
    clock.now += 2_000_000
    with pytest.raises(ExpiredLinkError):
        links.read_code_token(token)
    for made_up in ("", "x", token[:-1], links.token(Purpose.CONFIRM, "acme", "phone")):
        with pytest.raises(LinkError):
            links.read_code_token(made_up)


@pytest.mark.parametrize("purpose", Purpose)
@given(token=st.text() | st.text(alphabet="abcDEF123._-"))
def test_a_made_up_token_is_refused(purpose: Purpose, token: str) -> None:
    with pytest.raises(LinkError):
        Links("https://status.acme.example", KEY).read(purpose, token)


def test_links_that_are_made_together_are_those_that_are_made_alone(links: Links) -> None:
    people = ["0" * 32, "ab", "e9a1", "ü", ""]
    assert links.own_urls("acme", people) == [
        (links.unsubscribe_url("acme", one), links.manage_url("acme", one)) for one in people
    ]

from string import ascii_letters, digits

import pytest
from email_validator import EmailNotValidError
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.net.mail_addresses import ascii_of, checked

_LOCAL = st.text(ascii_letters + digits + '._+-!é"', max_size=70)
_LABEL = st.text(ascii_letters + digits + "-ü", max_size=64)
_DOMAIN = st.lists(_LABEL, min_size=1, max_size=5).map(".".join)
_KNOWN = st.sampled_from(
    ["example.com", "EXAMPLE.com", "xn--bcher-kva.example", "a.test", "localhost", "x.local", "x.invalid", "1.2.3.4",
     "xn--.example", "ab--cd.example", "münchen.example", "example.com."]
)  # fmt: skip


def slowly(address: str) -> str | None:
    return checked(address).ascii_email


@given(st.builds(lambda local, domain: f"{local}@{domain}", _LOCAL, _DOMAIN | _KNOWN) | st.text(max_size=20))
def test_it_says_what_the_whole_check_says(address: str) -> None:
    try:
        expected = slowly(address)
    except EmailNotValidError:
        with pytest.raises(EmailNotValidError):
            ascii_of(address)
    else:
        assert ascii_of(address) == expected


@pytest.mark.parametrize("length", [64, 65, 241, 242, 243, 300])
def test_lengths_are_limits_of_the_whole(length: int) -> None:
    for address in (f"{'a' * length}@example.com", f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * (length % 64)}.example"):
        try:
            expected = slowly(address)
        except EmailNotValidError:
            with pytest.raises(EmailNotValidError):
                ascii_of(address)
        else:
            assert ascii_of(address) == expected

"""Mail addresses as they are written on the wire, checked by email-validator. Knows no channel and sends nothing.

What is checked of a domain is remembered: a million subscribers have few of them, and one check takes 30 microseconds.
"""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

_PLAIN = re.compile(r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@([A-Za-z0-9.-]+)", re.ASCII)
"""Addresses in which nothing is quoted, escaped or international; all others are checked as a whole."""
_LONGEST_LOCAL, _LONGEST = 64, 254
"""Characters before the @, and in all (RFC 5321 4.5.3.1)."""
_DOMAINS = 10_000


def checked(address: str) -> ValidatedEmail:
    """Return an address taken apart and normalised; raises EmailNotValidError."""
    # Names of test networks (.test, localhost) are for the operator to use; a stranger gains nothing by them.
    return validate_email(address, check_deliverability=False, test_environment=True)


def ascii_of(address: str) -> str | None:
    """Return ``checked(address).ascii_email``, None where only SMTPUTF8 can carry it; raises EmailNotValidError."""
    plain = _PLAIN.fullmatch(address)
    if plain is None or len(address) > _LONGEST:
        return checked(address).ascii_email
    local, written = plain.groups()
    domain = _domain(written) if len(local) <= _LONGEST_LOCAL else None
    if domain is None:
        return checked(address).ascii_email
    return address if domain == written else f"{local}@{domain}"


@lru_cache(_DOMAINS)
def _domain(written: str) -> str | None:
    """Return a domain as it is written in an address, None for one that is not valid."""
    try:
        return checked(f"a@{written}").ascii_domain
    except EmailNotValidError:
        return None

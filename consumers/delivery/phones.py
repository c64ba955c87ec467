"""Phone numbers as people type them, in the one form under which they are kept and dialled. It dials nothing.

Only the countries that the operator names are taken: whoever earns by messages to expensive numbers (SMS pumping) signs up
thousands of them. Numbers whose callers pay extra are refused everywhere. Importing this takes 60 ms.
"""

from collections.abc import Collection
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberType as Type

from consumers.delivery.channel import AddressError

PLANS = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The countries (ISO 3166 codes) that have numbers."""

_SHOWN = 3
"""Digits at the end that a masked number keeps."""


class Use(StrEnum):
    """What a number is for."""

    TEXT = "text"
    VOICE = "voice"


class Phones:
    """Reads numbers of some ``countries`` (ISO 3166 codes), for one use. The numbering plans are those of libphonenumber."""

    def __init__(self, countries: Collection[str], use: Use) -> None:
        self._countries = frozenset(countries)
        self._use = use

    def canonical(self, text: str) -> str:
        """Return a number in E.164, ``+4915112345678``; raises AddressError, whose message does not hold it."""
        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            raise AddressError("this is not a phone number; begin with + and the country's code") from None
        if number.extension or not phonenumbers.is_valid_number(number):
            raise AddressError("this is not a phone number that exists")
        if phonenumbers.region_code_for_number(number) not in self._countries:
            raise AddressError("numbers of this country are not taken")
        if phonenumbers.number_type(number) not in self._types():
            raise AddressError(
                "this number takes no text messages" if self._use is Use.TEXT else "this kind of number is not called"
            )
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    def example(self) -> str:
        """Return a number that is taken and belongs to nobody."""
        country = min(self._countries)
        number = phonenumbers.example_number_for_type(country, Type.MOBILE)
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)) if number else "+"

    def _types(self) -> set[int]:
        # In North America nobody can tell a mobile number from a landline's.
        mobile = {Type.MOBILE, Type.FIXED_LINE_OR_MOBILE, Type.VOIP}
        return mobile if self._use is Use.TEXT else mobile | {Type.FIXED_LINE}


def country_of(number: str) -> str:
    """Return the country (ISO 3166 code) of a number in E.164; empty where it is none's."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number, None)) or ""


def masked(number: str) -> str:
    """Return a number in E.164 so that its owner recognises it and others do not: ``+49…678``."""
    try:
        code = f"+{phonenumbers.parse(number, None).country_code}"
    except phonenumbers.NumberParseException:
        code = "+"
    return f"{code}…{number[-_SHOWN:]}"

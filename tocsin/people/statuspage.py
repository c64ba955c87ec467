"""Subscribers of Atlassian Statuspage: the CSV that it imports and exports, and the JSON of its API. It reads no file.

The API's object: ``id mode email endpoint phone_number phone_country display_phone_number components quarantined_at
created_at`` (``GET /v1/pages/ID/subscribers?state=active``). No document fixes the columns of the CSV, so they are taken
by name. Statuspage's Slack and Teams subscribers have no address that could be carried over, unless a file gives it.
"""

from collections.abc import Iterator, Sequence

from tocsin.people import foreign
from tocsin.people.foreign import Fields, cells_of
from tocsin.people.person import FileError, LeftOut, Line, Mistake, Person, Reading
from tocsin.people.places import Places

ALIASES: foreign.Aliases = {
    "mode": ("mode", "type", "subscriber_type", "subscription_type"),
    "email": ("email", "email_address"),
    "phone": ("phone_number", "phone", "number"),
    "display": ("display_phone_number",),
    "country": ("phone_country", "country_code", "country", "phone_country_code"),
    "endpoint": ("endpoint", "webhook", "webhook_url", "webhook_endpoint", "endpoint_url", "url"),
    "components": ("components", "component", "component_ids", "component_names", "subscribed_components", "components_subscribed"),
    "quarantined": ("quarantined_at", "quarantined"),
    "state": ("state", "status"),
    "confirmed": ("confirmed", "confirmed_at"),
    "incident": ("incident", "incident_id"),
}  # fmt: skip
_KNOWN = ("page_access_user_group_ids", "page_access_group_ids")
_CHANNELS = {"email": "email", "sms": "sms", "webhook": "statuspage_webhook", "slack": "slack", "teams": "teams"}
_WHERE = {"email": "email", "sms": "phone", "webhook": "endpoint", "slack": "endpoint", "teams": "endpoint"}
_MODES = {"text": "sms", "phone": "sms", "microsoft_teams": "teams", "msteams": "teams", "e_mail": "email"}


def check(columns: Sequence[str]) -> None:
    """Raise FileError where it stays open what a line means."""
    if not foreign.check(columns, ALIASES, _KNOWN) & {"email", "phone", "endpoint"}:
        raise FileError("line 1 must name the columns, one of them email, phone_number or endpoint")


def read(line: Line, places: Places) -> Iterator[Reading]:
    """Read a subscriber; who is quarantined, or waits for one incident only, is left out."""
    fields = Fields(line, ALIASES)
    yield _state(fields) or _person(fields, places)


def _state(fields: Fields) -> Mistake | LeftOut | None:
    state = fields.text("state").lower()
    if state in ("quarantined", "unsubscribed") or fields.true("quarantined"):
        return LeftOut(
            "was unsubscribed there" if state == "unsubscribed" else "was quarantined there: it did not arrive"
        )
    if fields.text("incident"):
        return LeftOut("waited for one incident there")
    if state not in ("", "active", "confirmed", "unconfirmed", "pending"):
        return Mistake(fields.column("state"), "must be active, unconfirmed, quarantined or unsubscribed")
    return None


def _person(fields: Fields, places: Places) -> Reading:
    mode = _mode(fields)
    if mode not in _CHANNELS:
        return Mistake(fields.column("mode"), f"must be one of {', '.join(_CHANNELS)}: others cannot be carried over")
    where = _WHERE[mode]
    if mode == "sms":
        address = _number(fields)
    else:
        address = fields.text(where) or Mistake(
            fields.column(where), f"is missing: where is this {mode} to be reached?"
        )
    if isinstance(address, Mistake):
        return address
    cells = cells_of(fields, "components", places)
    if isinstance(cells, (Mistake, LeftOut)):
        return cells
    unconfirmed = fields.text("state").lower() in ("unconfirmed", "pending") or (
        fields.has("confirmed") and not fields.true("confirmed")
    )
    columns = {"address": fields.column(where), "cells": fields.column("components"), "channel": fields.column("mode")}
    return Person(
        places.said.channels.get(mode, _CHANNELS[mode]), address, agreed=not unconfirmed, cells=cells, columns=columns
    )


def _mode(fields: Fields) -> str:
    if fields.has("mode"):
        mode = foreign.plain(fields.text("mode"))
        return _MODES.get(mode, mode)
    # Who has a webhook may have an email beside it, for when the webhook fails.
    return next((mode for mode, where in (("webhook", "endpoint"), ("sms", "phone")) if fields.text(where)), "email")


def _number(fields: Fields) -> str | Mistake:
    column = fields.column("phone")
    for meaning in ("phone", "display"):
        if (text := fields.text(meaning)).startswith("+"):
            return text
    number, country = fields.text("phone"), fields.text("country").upper()
    if not number:
        return Mistake(column, "is missing")
    if not country:
        return Mistake(column, "must begin with + where no column says the country (phone_country)")
    try:
        import phonenumbers  # noqa: PLC0415 -- of the extra ``channels``, and slow
    except ImportError:
        return Mistake(
            column, "must begin with +: the package phonenumbers, which knows countries, is not installed here"
        )
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return Mistake(column, "is not a number of the country beside it")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))

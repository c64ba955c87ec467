"""Subscribers of Cachet 2 and 3: its table ``subscribers`` as CSV or JSON, or its API's answers. It reads no file.

The table: ``id email verify_code verified_at phone_number slack_webhook_url global created_at updated_at``
(``email_verified_at`` since 2026; ``phone_number`` and ``slack_webhook_url`` since 2.4; ``global`` since 2.3). Components
are in a table of their own, ``subscriptions``: a file needs them as a list in ``components`` (joined), as an API gives
them. Whoever is not ``global`` and has none chose something that the file does not say.
"""

from collections.abc import Iterator, Sequence

from tocsin.people import foreign
from tocsin.people.foreign import Fields, cells_of
from tocsin.people.person import FileError, LeftOut, Line, Mistake, Person, Reading
from tocsin.people.places import Places

ALIASES: foreign.Aliases = {
    "email": ("email",),
    "phone": ("phone_number",),
    "slack": ("slack_webhook_url",),
    "verified": ("verified_at", "email_verified_at"),
    "global": ("global",),
    "components": ("components", "component_ids", "component_id", "component_names", "subscriptions"),
}
_CHANNELS = {"email": "email", "phone": "sms", "slack": "slack"}


def check(columns: Sequence[str]) -> None:
    """Raise FileError where it stays open what a line means."""
    found = foreign.check(columns, ALIASES)
    if "email" not in found:
        raise FileError("line 1 must name the columns of Cachet's table subscribers, email among them")
    if "verified" not in found:
        raise FileError("line 1: the column verified_at is missing: nobody could tell who confirmed")


def read(line: Line, places: Places) -> Iterator[Reading]:
    """Read a subscriber, who is one here for each way of reaching them."""
    fields = Fields(line, ALIASES)
    cells = cells_of(fields, "components", places)
    if fields.true("global"):
        cells = None
    elif cells is None and fields.has("global"):
        yield Mistake(
            "global", "is not set, and no column components says what was chosen: join the table subscriptions"
        )
        return
    if isinstance(cells, (Mistake, LeftOut)):
        yield cells
        return
    reached = False
    for where, channel in _CHANNELS.items():
        if not (address := fields.text(where)):
            continue
        reached = True
        if where == "phone" and not address.startswith("+"):
            yield Mistake(fields.column(where), "must begin with + and the country's code")
            continue
        columns = {
            "address": fields.column(where),
            "channel": fields.column(where),
            "cells": fields.column("components"),
        }
        agreed = fields.true("verified")
        yield Person(places.said.channels.get(channel, channel), address, agreed=agreed, cells=cells, columns=columns)
    if not reached:
        yield Mistake("email", "is missing")

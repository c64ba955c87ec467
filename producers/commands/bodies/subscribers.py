"""What a sign-up carries."""

from base64 import b64decode
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictBool, field_validator

from producers.commands.bodies.fields import MOST_CELLS, Body, CellChoice
from producers.commands.bodies.pace import PaceWish
from schemas.vocabulary import Audience, Impact, Kind

MOST_SUBSCRIBERS = 1_000
"""How many one batch holds."""
SECRET_PREFIX = "whsec_"  # noqa: S105 -- how Standard Webhooks begins a secret, none itself


class NewSubscriber(PaceWish):
    """Subscribe an address: exactly one of ``email``, ``webhook``, and ``channel`` with ``address``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"email": "you@example.com", "cells": [{"component": "api", "region": "eu"}], "min_impact": "major"}
            ]
        }
    )

    email: Annotated[str, Field(max_length=320)] | None = None
    webhook: Annotated[str, Field(max_length=2_000)] | None = None
    channel: Annotated[str, Field(max_length=40)] | None = None
    """The channel that ``address`` is on: one that the page's configuration switches on."""
    address: Annotated[str, Field(max_length=4_000)] | None = None
    cells: Annotated[list[CellChoice], Field(min_length=1, max_length=MOST_CELLS)] | None = None
    """What to hear of; absent: everything. A group means all below it, now and later."""
    min_impact: Impact | None = None
    """The least impact to hear of; absent: any."""
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=10)] | None = None
    """``incident`` and ``maintenance``; absent: both."""
    audience: Audience | None = None
    """``internal`` for who works here and hears of what is internal, too: for operators. Absent: the public."""
    confirmed: StrictBool | None = None
    """Active at once and without a mail that asks: for operators."""

    @field_validator("kinds")
    @classmethod
    def _for_subscribers(cls, kinds: list[Kind] | None) -> list[Kind] | None:
        if kinds is not None and not set(kinds) <= {Kind.INCIDENT, Kind.MAINTENANCE}:
            raise ValueError("must be among incident and maintenance")
        return kinds


class BatchedSubscriber(NewSubscriber):
    """One of many: as above, and a webhook may bring the secret that its receiver verifies with."""

    secret: Annotated[str, Field(max_length=200)] | None = None
    """``whsec_`` and 24 to 64 bytes in base64, as Standard Webhooks writes it; absent: a new one."""

    @field_validator("secret")
    @classmethod
    def _a_secret(cls, secret: str | None) -> str | None:
        if secret is not None and not _is_secret(secret):
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return secret


class SubscriberBatch(Body):
    """Many subscribers at once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"subscribers": [{"channel": "email", "address": "you@example.com", "confirmed": True}]}]
        }
    )

    subscribers: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_SUBSCRIBERS)]
    """Each is what a single sign-up takes, and may have a ``secret``. One that is wrong is refused alone."""
    dry_run: StrictBool = False
    """Only say what would become of each."""


class AssignAudience(Body):
    """Say whom a subscriber belongs to."""

    audience: Audience


def _is_secret(text: str) -> bool:
    try:
        return (
            text.startswith(SECRET_PREFIX)
            and 24 <= len(b64decode(text.removeprefix(SECRET_PREFIX), validate=True)) <= 64
        )
    except ValueError:
        return False

"""What a sign-up carries."""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool, field_validator

from producers.commands.bodies.fields import MOST_CELLS, Body, CellChoice
from schemas.vocabulary import Impact, Kind


class NewSubscriber(Body):
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
    confirmed: StrictBool | None = None
    """Active at once and without a mail that asks: for operators."""

    @field_validator("kinds")
    @classmethod
    def _for_subscribers(cls, kinds: list[Kind] | None) -> list[Kind] | None:
        if kinds is not None and not set(kinds) <= {Kind.INCIDENT, Kind.MAINTENANCE}:
            raise ValueError("must be among incident and maintenance")
        return kinds

"""A page as the API shows its components, and files as text, read by one of the formats."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

from tocsin.people import json_values, table
from tocsin.people.formats import FORMAT_OF_NAME
from tocsin.people.person import Person, Reading
from tocsin.people.places import Map, Places, places_of

TREE: Sequence[dict[str, Any]] = [
    {"id": "platform", "name": "Platform", "components": [
        {"id": "api", "name": "API", "components": []},
        {"id": "web", "name": "Web app", "components": []},
    ]},
    {"id": "login", "name": "Login", "components": []},
    {"id": "eu-login", "name": "Sign in", "components": []},
    {"id": "us-login", "name": "sign  IN", "components": []},
]  # fmt: skip


def places(said: Map | None = None) -> Places:
    return places_of(TREE, said or Map())


def read(form: str, text: str, where: Places | None = None) -> list[Reading]:
    """Read all lines of a file: JSON where it looks like it."""
    chosen, where = FORMAT_OF_NAME[form], where or places()
    if text.lstrip().startswith(("[", "{")):
        lines = json_values.lines(StringIO(text))
    else:
        columns, rows = table.columns_of(StringIO(text, newline=""))
        chosen.check(columns)
        lines = table.lines(columns, rows)
    return [found for line in lines for found in chosen.read(line, where)]


def people(form: str, text: str, where: Places | None = None) -> list[Person]:
    found = read(form, text, where)
    assert all(isinstance(one, Person) for one in found), found
    return [one for one in found if isinstance(one, Person)]

"""All cells of one way to run a channel, on one installation, which then checks its own log and projections."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tests.kill.matrix.outside import Road
from tests.kill.matrix.roads import class_of
from tests.kill.matrix.verdict import Row, row_of
from tests.kill.matrix.ward import Ward, ward
from tests.parts.tocsin import Spawn

Admit: TypeAlias = Callable[[Path, Road, Spawn], AbstractContextManager[Ward]]


class Found(NamedTuple):
    """What a road's cells showed. ``broken`` names what belongs to no cell: commands that disagree, a run that broke off."""

    road: str
    rows: list[Row]
    broken: list[str]


def run(
    road: Road,
    failpoints: Sequence[str],
    restarts: Sequence[str],
    spawned: Spawn,
    tell: Callable[[Row], None],
    admit: Admit = ward,
) -> Found:
    """Go through the cells one after another; ``tell`` hears of each, ``admit`` makes the installation."""
    found = Found(road.name, [], [])
    with tempfile.TemporaryDirectory() as folder:
        try:
            with admit(Path(folder), road, spawned) as made:
                kind = class_of(road, made.outside)
                for failpoint in failpoints:
                    for restart in restarts:
                        row = row_of(made.story(failpoint, restart), road.name, kind, repeats=made.outside.repeats)
                        tell(row)
                        found.rows.append(row)
                for words in (("replay", "--check"), ("log", "verify")):
                    code, printed = made.tocsin.run(*words, "--data", made.tocsin.data)
                    if code:
                        found.broken.append(f"{' '.join(words)}: {printed}")
        except AssertionError as error:
            found.broken.append(f"it broke off after {len(found.rows)} cells: {error}")
    return found

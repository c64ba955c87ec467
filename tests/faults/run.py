"""One run from beginning to end: so many rounds of faults, then everything is held against everything."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.judge import judge_fleet
from tests.faults.schedule import Report
from tests.faults.siege import siege

_COUNTED = re.compile(r"(replay agrees|verified).*")
_COMMANDS = (("replay", "--check"), ("log", "verify"))


@dataclass(frozen=True)
class Outcome:
    """``thrown`` counts faults by kind, ``restarted`` workers that ended by themselves, by role and exit code."""

    thrown: Mapping[str, int]
    restarted: Mapping[tuple[str, int], int]
    counts: Mapping[str, int]
    said: tuple[str, ...]
    broken: tuple[str, ...]


def run(folder: Path, rounds: int, seed: int, report: Report) -> Outcome:
    """Throw ``rounds`` faults of every kind and judge what is left."""
    with siege(folder, seed, report) as made:
        for number in range(rounds):
            report(f"round {number + 1} of {rounds}")
            made.misfortune.round()
        judged = judge_fleet(made.end())
        broken, said = list(judged.broken), []
        for words in _COMMANDS:
            code, printed = made.installation.run(*words)
            said += [line for line in printed.splitlines() if _COUNTED.match(line)]
            if code:
                broken.append(f"{' '.join(words)}: {printed}")
        crew = made.installation.crew
        broken += [
            f"{name} was told to stop and ended with {code}:\n{crew.printed(name)}"
            for name in crew.at_work
            if (code := crew.dismiss(name))
        ]
        return Outcome(made.misfortune.thrown, crew.ended, judged.counts, tuple(said), tuple(broken))

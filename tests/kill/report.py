"""The counts of sieges as a table for people."""

from collections.abc import Sequence

from tests.kill.invariants import Judgement


def table(rows: Sequence[tuple[str, int, Judgement]]) -> str:
    """Return a Markdown table: channel, kills, and every count of the judgement, with a line of sums."""
    names = list(rows[0][2].counts)
    lines = [[channel, str(kills), *(str(found.counts[name]) for name in names)] for channel, kills, found in rows]
    sums = [sum(int(line[column]) for line in lines) for column in range(1, len(names) + 2)]
    head = ["channel", "kills", *names]
    body = [head, ["---"] * len(head), *lines, ["**all**", *map(str, sums)]]
    return "\n".join(f"| {' | '.join(line)} |" for line in body)

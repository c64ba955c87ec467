"""Tells what happens in the demo: lines above a progress line on a terminal, plain lines elsewhere. It does nothing else."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tocsin.demo.recording import Person, Step


class Narrator:
    """Prints to one console. Use it as a context manager while the outage is played."""

    def __init__(self, console: Console, minutes: int) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.fields[clock]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("", total=minutes, clock="00:00")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def say(self, text: str = "") -> None:
        """Print a line of plain text."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def passes(self, minutes: float, mails: int) -> None:
        """Move the progress line on to ``minutes`` of the recording; ``mails`` have arrived so far."""
        self._progress.update(self._task, completed=minutes, clock=clock(minutes), description=f"{mails} mails")

    def step(self, step: Step, result: str) -> None:
        """Tell of a step that was played, and what came of it."""
        told = f"mail to {', '.join(step.tells)}" if step.tells else "no mail"
        self.say(f"{clock(step.at)}  {step.says}.")
        self.say(f"       {step.means}: {told}{f' ({result})' if result else ''}.")


def clock(minutes: float) -> str:
    """Return recorded minutes as ``hh:mm``."""
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}"


def summary(cast: Sequence[Person], counts: Mapping[str, int], page_url: str, mailbox_url: str) -> list[str]:
    """Return what is told at the end: who got how many mails, and where to look and what to try."""
    width = max(len(person.name) for person in cast)
    lines = ["The hour is over. Who was told:"]
    for person in cast:
        mails = counts.get(person.email, 0)
        noun = "mail " if mails == 1 else "mails"
        lines.append(f"  {person.name:{width}}  {mails} {noun}  follows {person.follows}")
    return [*lines, "", f"  status page   {page_url}", f"  mailbox       {mailbox_url}", ""]


def suggestions(page_url: str, page: str, token: str, source: str, source_token: str) -> list[str]:
    """Return commands to play with, as they work against this demo."""
    base = page_url.rstrip("/")
    alert = '{"alerts": [{"labels": {"service": "api", "region": "ap", "severity": "critical"}}]}'
    return [
        "To play with:",
        f"  curl {base}/api/v2/summary.json",
        f"  curl {base}/ingest/{page}/{source} -H 'Authorization: Bearer {source_token}' -d '{alert}'",
        f"  export TOCSIN_SERVER={base} TOCSIN_TOKEN={token}",
        "  tocsin incident list",
        "  tocsin incident open 'Login is shaky' --body 'We are looking into it.' --affects login=degraded_performance",
        "",
    ]

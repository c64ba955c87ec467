"""Sets the stage: the server with the example page in the main thread, the mailbox and the player beside it.

All of it is one process and one folder, so that Ctrl-C ends it and nothing stays behind.
"""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from tocsin import server
from tocsin.client import ApiClient, ClientError
from tocsin.config import Config, load_example
from tocsin.config.models import Role
from tocsin.demo.catcher import Mailbox
from tocsin.demo.narrator import Narrator, suggestions, summary
from tocsin.demo.player import DemoError, Desks, Player
from tocsin.demo.ports import PortTakenError, bound, free_port, port_of
from tocsin.demo.recording import Recording, load_recording
from tocsin.demo.sidecar import Sidecar
from tocsin.stopping import until_stopped
from tocsin.web_address import url_of

PAGE_PORT, MAILBOX_PORT, SMTP_PORT = 8080, 8025, 2525
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """How the demo is to be played. A port that is None is the usual one, or a free one where that is taken."""

    folder: Path | None = None
    host: str = _LOOPBACK
    port: int | None = None
    mailbox_port: int | None = None
    speed: float = 60.0
    once: bool = False


@dataclass
class Outcome:
    """How it went; ``problem`` is empty if all went as recorded, or as far as it was played."""

    problem: str = ""
    finished: bool = False


@dataclass(frozen=True)
class Stage:
    """What is set up before the curtain rises."""

    options: Options
    config: Config
    page_url: str
    mailbox_url: str
    mailbox: Mailbox
    console: Console
    recording: Recording
    outcome: Outcome = field(default_factory=Outcome)


def run(options: Options, environment: Mapping[str, str], console: Console) -> Outcome:
    """Play the demo and return once it was ended: by Ctrl-C or SIGTERM, or by itself where it is to be played once.

    Raises ConfigError, PortTakenError, OSError and ``tocsin.listening.StartError``.
    """
    with ExitStack() as parts:
        folder = parts.enter_context(_folder(options.folder))
        port = free_port(options.host, options.port or PAGE_PORT, or_any=options.port is None)
        smtp = parts.enter_context(bound(_LOOPBACK, SMTP_PORT, or_any=True))
        web = parts.enter_context(
            bound(options.host, options.mailbox_port or MAILBOX_PORT, or_any=options.mailbox_port is None)
        )
        page_url, mailbox_url = url_of(options.host, port), url_of(options.host, port_of(web))
        own = _environment(environment, page_url, port_of(smtp))
        stage = Stage(options, load_example(own), page_url, mailbox_url, Mailbox(), console, load_recording())
        parts.enter_context(Sidecar(stage.mailbox, smtp, web, page_url))
        with _performance(stage) as begin, until_stopped():
            server.run(stage.config, folder, options.host, port, own, on_ready=begin)
        # The server has sent what it had to send, so that a mail too many is seen, however late it comes.
        if options.once and not stage.outcome.problem:
            stage.outcome.problem = _verdict(stage)
        return stage.outcome


def _environment(given: Mapping[str, str], page_url: str, smtp_port: int) -> dict[str, str]:
    """Return the environment that the example is read with: mail never leaves this machine, whatever is set outside."""
    return {"PAGE_URL": page_url.rstrip("/"), **given, "SMTP_URL": f"smtp://{_LOOPBACK}:{smtp_port}"}


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder:
        yield Path(folder)


@contextmanager
def _performance(stage: Stage) -> Iterator[Callable[[], None]]:
    """Yield what raises the curtain; at the end the player is stopped and waited for."""
    with ExitStack() as clients:
        player = _player(stage, clients)
        thread = threading.Thread(target=_perform, args=(stage, player), name="player", daemon=True)
        try:
            yield thread.start
        finally:
            player.stop()
            if thread.is_alive():
                thread.join(timeout=10)


def _player(stage: Stage, clients: ExitStack) -> Player:
    base = stage.page_url.rstrip("/")

    def client(token: str | None) -> ApiClient:
        return clients.enter_context(ApiClient(base, token))

    desks = Desks(
        client(None), client(_token(stage.config, Role.OPERATOR)), client(_token(stage.config, Role.APPROVER))
    )
    tokens = {source.id: source.secrets[0].get_secret_value() for source in stage.config.sources}
    return Player(stage.recording, stage.config.page.id, desks, tokens, stage.mailbox)


def _token(config: Config, role: Role) -> str:
    return next(operator.token.get_secret_value() for operator in config.operators if operator.role is role)


def _perform(stage: Stage, player: Player) -> None:
    """Play in a thread of its own: what goes wrong ends the demo, since nobody would look at the thread."""
    try:
        stage.outcome.finished = _play(stage, player)
    except (ClientError, DemoError) as error:
        stage.outcome.problem = f"the demo cannot go on: {error}"
    if stage.options.once or stage.outcome.problem:
        os.kill(os.getpid(), signal.SIGTERM)


def _play(stage: Stage, player: Player) -> bool:
    minutes = stage.recording.minutes
    narrator = Narrator(stage.console, minutes)
    narrator.say(f"{stage.config.page.name}: {stage.page_url}   mailbox: {stage.mailbox_url}")
    narrator.say(f"An outage of {minutes} minutes, {stage.options.speed:g} times as fast. Watch both.\n")
    player.subscribe()
    with narrator:
        finished = player.play(narrator, stage.options.speed)
    if finished:
        _tell_the_end(stage, narrator)
    return finished


def _verdict(stage: Stage) -> str:
    """Return what is wrong with what the cast was told, empty if nothing is."""
    if not stage.outcome.finished:
        return "stopped before the outage was over"
    counts = stage.mailbox.counts()
    wrong = [one.name for one in stage.recording.cast if counts.get(one.email, 0) != stage.recording.mails_to(one.name)]
    return f"another number of mails than recorded: {', '.join(wrong)}" if wrong else ""


def _tell_the_end(stage: Stage, narrator: Narrator) -> None:
    narrator.say()
    for line in summary(stage.recording.cast, stage.mailbox.counts(), stage.page_url, stage.mailbox_url):
        narrator.say(line)
    if stage.options.once:
        return
    source = stage.config.sources[0]
    own, foreign = _token(stage.config, Role.APPROVER), source.secrets[0].get_secret_value()
    for line in suggestions(stage.page_url, stage.config.page.id, own, source.id, foreign):
        narrator.say(line)
    narrator.say("It runs until Ctrl-C.")


__all__ = ["Options", "Outcome", "PortTakenError", "run"]

"""The demo as a newcomer starts it: the installed command, played once, fast; and looked at while it goes on running."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.parts.processes import free_port, wait_for

pytestmark = pytest.mark.slow

TOCSIN = Path(sys.executable).with_name("tocsin")
PATIENCE = 180
MAILS = {"Ada": 8, "Bruno": 4, "Chiara": 2, "Dana": 2, "Emre": 0, "Fay": 6}
"""What the recording's cast is told, counted by hand: API 4 times, login 2, payments 2, and Ada all of it."""


def environment(folder: Path) -> dict[str, str]:
    """What a newcomer has, and a mail server that must never be spoken to."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "SMTP_URL": "smtp://127.0.0.1:1", "COLUMNS": "200"}


def test_an_hour_of_trouble_is_played_and_the_right_people_are_told(tmp_path: Path) -> None:
    played = subprocess.run(
        [TOCSIN, "demo", "--once", "--speed", "600", "--port", str(free_port()), "--data", tmp_path / "data"],
        env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert played.returncode == 0, played.stdout + played.stderr
    told = {
        name: int(count) for name, count in re.findall(r"^  (\w+) +(\d+) mails? +follows", played.stdout, re.MULTILINE)
    }
    assert told == MAILS
    assert "Traceback" not in played.stderr
    for command in (["log", "verify"], ["replay", "--check"]):
        checked = subprocess.run(
            [TOCSIN, *command, "--data", tmp_path / "data"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_goes_on_running_to_play_with_and_leaves_nothing_behind(tmp_path: Path) -> None:
    page, mailbox = free_port(), free_port()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command: list[str | Path] = [TOCSIN, "demo", "--speed", "600", "--port", str(page), "--mailbox-port", str(mailbox)]
    with (tmp_path / "out").open("w+") as out:
        demo = subprocess.Popen(
            command, env={**environment(tmp_path), "TMPDIR": str(temporary)}, cwd=tmp_path, stdout=out, stderr=out
        )
        try:
            told = wait_for(
                "the end of the outage",
                lambda: "until Ctrl-C" in (tmp_path / "out").read_text() or demo.poll() is not None,
            )
            assert told
            assert demo.poll() is None, (tmp_path / "out").read_text()
            assert httpx.get(f"http://127.0.0.1:{page}/").status_code == 200
            mails = httpx.get(f"http://127.0.0.1:{mailbox}/mails.json").json()["mails"]
            assert len(mails) == sum(MAILS.values())
            assert len({mail["notification"] for mail in mails}) == len(mails)
            assert not [mail for mail in mails if "slow in Europe" in mail["subject"]]  # it cleared in time
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(PATIENCE) == 0
    assert not list(temporary.iterdir())

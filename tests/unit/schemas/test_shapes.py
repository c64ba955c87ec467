"""Threads that meet a type for the first time at the same moment all read it, and the process survives."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MEET = """
import sys, threading
from pathlib import Path
sys.setswitchinterval(1e-6)
import msgspec
from schemas import codec
from schemas.shapes import decoder

frames = [bytes.fromhex(path.read_text("ascii")) for path in sorted(Path("schemas/examples").glob("*/*.hex"))]
rows = [msgspec.defstruct(f"Row{n}", [(f"field{m}", "dict[str, list[int]] | None", None) for m in range(8)])
        for n in range(50)]
meeting, faults = threading.Barrier(6), []

def read():
    try:
        for frame in frames:
            meeting.wait()
            codec.decode(*codec.unframe(frame))
        for row in rows:
            meeting.wait()
            assert decoder(row).decode(b'{"field7": {"a": [1]}}').field7 == {"a": [1]}
    except BaseException as error:
        faults.append(repr(error))
        meeting.abort()

threads = [threading.Thread(target=read) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit("\\n".join(faults) or 0)
"""


@pytest.mark.parametrize("time", range(3))
def test_threads_that_meet_a_type_at_once_all_read_it(time: int) -> None:
    done = subprocess.run([sys.executable, "-c", MEET], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"

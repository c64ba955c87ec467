"""What holds for every test: how properties are searched, and that a skipped test is never overlooked."""

import os
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.groups import Groups

# Shared machines stall: how long an example takes says nothing about the code.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


# A script's background ignores Ctrl-C, and what is started there does so too; some tests send one to what they started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    """Keep together what shares fixtures, when several processes run the tests, and begin with what takes long."""
    return Groups(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run and why, reason by reason: a green run must not hide it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(report.longrepr[2] if isinstance(report.longrepr, tuple) else "?" for report in skipped)
    terminalreporter.section(f"{len(skipped)} TESTS DID NOT RUN", red=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} of them. {reason}", red=True)

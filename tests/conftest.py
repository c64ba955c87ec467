"""What holds for every test: how properties are searched, and that a skipped test is never overlooked."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Shared machines stall: how long an example takes says nothing about the code.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


_HERE = Path(__file__).parent
_BY_FILE = frozenset({"unit", "contract"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares fixtures, when several processes run the tests: a file, or a folder of real parts."""
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue  # a run that a test makes of a test of its own
        parts = item.path.relative_to(_HERE).parts
        group = "/".join(parts if parts[0] in _BY_FILE else parts[:2])
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run and why, reason by reason: a green run must not hide it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(report.longrepr[2] if isinstance(report.longrepr, tuple) else "?" for report in skipped)
    terminalreporter.section(f"{len(skipped)} TESTS DID NOT RUN", red=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} of them. {reason}", red=True)

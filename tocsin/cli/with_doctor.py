"""What ``tocsin doctor`` does; imported only by it, since the server's libraries take a second to load."""

import os
from pathlib import Path

from tocsin.config import Config, ConfigError, load
from tocsin.doctor import Finding, Report, examine
from tocsin.doctor.channels import Asked
from tocsin.doctor.checks import distributed, embedded
from tocsin.doctor.report import Check, Found, Unseen, findings_of, state_of


def examined(file: Path, folder: Path, server: Asked) -> Report:
    """Return what was found; a configuration that cannot be read is the only finding, for it says where the rest is."""
    report = Report()
    try:
        config = load(file, os.environ)
    except ConfigError as error:
        report.found["configuration"] = [Finding(str(each), "mend the file") for each in error.problems]
        return report
    report.found["configuration"] = []
    report.found.update(examine(_checks(config, folder, server)).found)
    return report


def show(report: Report) -> None:
    """Print the report for people: a line for each part, and below it what to do."""
    number = 0
    for name, found in report.found.items():
        print(f"{name}: {_said(found)}")
        for each in findings_of(found):
            number += 1
            print(f"  {number}. {each.problem}\n     {each.advice}")


def _said(found: Found | None) -> str:
    if isinstance(found, Unseen):
        return f"not known: {found.reason}"
    return "not looked at: mend what stands above first" if found is None else state_of(found)


def _checks(config: Config, folder: Path, server: Asked) -> list[Check]:
    if config.engine is None:
        return embedded(config, folder, os.environ, server)
    try:
        return distributed(config, config.engine, os.environ)
    except ImportError as error:
        advice = "pip install 'tocsin[distributed]'"
        missing = Finding(f"{error.name} is not installed, which the distributed engine needs", advice)
        return [Check("libraries", lambda: [missing])]

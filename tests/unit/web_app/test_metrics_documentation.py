"""docs/metrics.md lists every metric as the program has it, and no other."""

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from streams.runtime.metrics import Metrics

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|(?: (.*?))? \| (.+) \|$")


def test_every_metric_is_listed_and_every_listed_one_exists() -> None:
    listed = [
        match.groups(default="") for line in DOCUMENT.read_text("utf-8").splitlines() if (match := _ROW.match(line))
    ]
    defined = []
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            suffix = "_total" if family.type == "counter" else ""
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            defined.append((family.name + suffix, family.type, labels, family.documentation))
    assert listed == defined

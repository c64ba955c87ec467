"""``python -m bench [NAME ...] [--json]``: runs the benchmarks and prints what they measured beside what was wanted."""

import argparse
import sys
from collections.abc import Callable, Iterator

import msgspec

from bench import audience, coldstart, fanout, ingest, kafka_latency, kafka_partitions, latency, outgoing, read, replay
from bench.measure import Metric

BENCHES: tuple[tuple[str, Callable[[], Iterator[Metric]]], ...] = (
    ("ingest", ingest.run),
    ("replay", replay.run),
    ("coldstart", coldstart.run),
    ("audience", audience.run),
    ("fanout", fanout.run),
    ("webhooks", outgoing.run),
    ("latency", latency.run),
    ("read", read.run),
    ("kafka_latency", kafka_latency.run),
    ("kafka_partitions", kafka_partitions.run),
)


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, all if none is named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(name for name, _ in BENCHES))
    parser.add_argument("--json", action="store_true", help="a JSON line for each figure")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - {name for name, _ in BENCHES}:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    for name, run in BENCHES:
        if asked.names and name not in asked.names:
            continue
        for metric in run():
            print(msgspec.json.encode(metric).decode() if asked.json else _line(metric), flush=True)


def _line(metric: Metric) -> str:
    ratio = "" if metric.baseline is None else f"  ({metric.ratio:.2f} of {metric.baseline:,.4g})"
    verdict = "" if metric.met is None else f"  {'met' if metric.met else 'NOT MET'}: {metric.target}"
    return f"{metric.bench:10} {metric.metric:62} {metric.value:>12,.4g} {metric.unit}{ratio}{verdict}"


if __name__ == "__main__":
    main(sys.argv[1:])

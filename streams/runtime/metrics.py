"""Every metric of the program, once, with its help; it knows no HTTP and never the process's default registry.

``docs/metrics.md`` lists them for operators, and a test holds the two together.
"""

from collections.abc import Callable
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_RENDER_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
Sampler = Callable[[], None]


class Metrics:
    """The metrics of one process. Labels hold words of closed sets only: never an id, an address or a path."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._samplers: list[Sampler] = []
        self._exposing = Lock()

        self.appended = Counter(
            "tocsin_records_appended", "Records appended to the log since the process began.", registry=registry
        )
        self.log_waiting = Gauge(
            "tocsin_log_jobs_waiting",
            "Jobs that wait for the log's writer; at 2000 senders are told to come back.",
            registry=registry,
        )
        self.stage_lag = Gauge(
            "tocsin_stage_lag_records",
            "Records of the log that a stage has not folded yet.",
            ["stage"],
            registry=registry,
        )
        self.oldest_unfolded = Gauge(
            "tocsin_oldest_unfolded_seconds",
            "The age of the oldest event that a stage has yet to fold; 0 without one. Workers only.",
            registry=registry,
        )
        self.ingested = Counter(
            "tocsin_ingest_alerts",
            "Alerts posted by monitors, by the source's kind and by what became of them:"
            " accepted, ignored (an unchanged repeat) or deadlettered.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.deliveries = Counter(
            "tocsin_deliveries",
            "Attempts to deliver a notification, by channel and by how they ended.",
            ["channel", "state"],
            registry=registry,
        )
        self.rests = Gauge(
            "tocsin_channel_rests",
            "Whether a channel (1, else 0), or one of its several providers, refused us last and rests, or is tried with one message.",
            ["channel", "provider"],
            registry=registry,
        )
        self.held_back = Counter(
            "tocsin_held_back",
            "How often a rate limit held a notification back, by channel and by whose limit it was:"
            " account, sender or destination, or the provider's, which said when to come again.",
            ["channel", "limit"],
            registry=registry,
        )
        self.receipts = Counter(
            "tocsin_receipts",
            "What providers said about notifications afterwards, by provider and by what became of it:"
            " recorded, repeated (it was known), unknown (no notification of ours) or refused (not signed, or no receipt).",
            ["kind", "outcome"],
            registry=registry,
        )
        self.unsent = Gauge(
            "tocsin_notifications_waiting",
            "Notifications that are planned and not sent yet.",
            ["channel"],
            registry=registry,
        )
        self.oldest_unsent = Gauge(
            "tocsin_oldest_unsent_seconds",
            "For how long the oldest notification that may be sent waits for it; 0 without one.",
            registry=registry,
        )
        self.requests = Counter(
            "tocsin_http_requests",
            "Requests answered, by class of route and HTTP status.",
            ["route", "status"],
            registry=registry,
        )
        self.stream_clients = Gauge(
            "tocsin_stream_clients", "Browsers that listen for changes of the page.", registry=registry
        )
        self.render_seconds = Histogram(
            "tocsin_page_render_seconds", "Time to render and compress one public body anew.", ["body"],
            buckets=_RENDER_SECONDS, registry=registry,
        )  # fmt: skip

    def sample(self, sampler: Sampler) -> None:
        """Call ``sampler`` before each exposition: what is cheaper to ask for than to keep is set there."""
        self._samplers.append(sampler)

    def exposition(self) -> bytes:
        """Return the text that Prometheus scrapes (``CONTENT_TYPE``). May block as long as its samplers do."""
        with self._exposing:
            for sampler in self._samplers:
                sampler()
            return generate_latest(self.registry)

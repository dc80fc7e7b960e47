"""The gateway's Prometheus metrics; each application has a registry of its own."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_LATENCIES = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "dalston_gateway_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "dalston_gateway_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "dalston_gateway_requests_in_flight",
            "Requests being served.",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "dalston_gateway_waiting_requests",
            "Requests that wait for a transcript.",
            registry=self.registry,
        )
        self.upload_bytes = Counter(
            "dalston_gateway_upload_bytes_total",
            "Bytes of recordings received.",
            registry=self.registry,
        )
        self.jobs = Counter(
            "dalston_gateway_jobs_created_total",
            "Jobs created, by dialect.",
            ("dialect",),
            registry=self.registry,
        )
        self.problems = Counter(
            "dalston_gateway_problems_total",
            "Requests that ended with an error, by what was wrong.",
            ("fault",),
            registry=self.registry,
        )

"""A worker's Prometheus metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_RUN_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600)


class WorkerMetrics:
    """What a worker counts and measures; every name begins with `dalston_worker_`."""

    def __init__(self, engine: str, *, slots: int) -> None:
        self.registry = CollectorRegistry()
        self._engine = engine
        self.tasks = Counter(
            "dalston_worker_tasks",
            "Tasks by how they ended.",
            ["engine", "stage", "outcome"],
            registry=self.registry,
        )
        self.run_seconds = Histogram(
            "dalston_worker_run_seconds",
            "Seconds from the start of a task to its end.",
            ["engine", "stage"],
            buckets=_RUN_BUCKETS,
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "dalston_worker_queue_seconds",
            "Seconds that tasks waited to be started.",
            ["engine", "stage"],
            buckets=_RUN_BUCKETS,
            registry=self.registry,
        )
        self.audio_seconds = Counter(
            "dalston_worker_audio_seconds",
            "Seconds of audio in tasks that succeeded.",
            ["engine", "stage"],
            registry=self.registry,
        )
        self.claims_lost = Counter(
            "dalston_worker_claims_lost",
            "Running tasks whose claim was taken over or removed.",
            ["engine"],
            registry=self.registry,
        )
        self.retries = Counter(
            "dalston_worker_retries",
            "Calls repeated because the bus or the store was away.",
            ["engine"],
            registry=self.registry,
        )
        self.busy_slots = Gauge(
            "dalston_worker_busy_slots", "Tasks running now.", ["engine"], registry=self.registry
        )
        self.slots = Gauge(
            "dalston_worker_slots",
            "Tasks that may run at once.",
            ["engine"],
            registry=self.registry,
        )
        self.slots.labels(engine).set(slots)

    def ended(
        self, *, stage: str, outcome: str, run_seconds: float, audio_seconds: float | None
    ) -> None:
        """Count a task."""
        self.tasks.labels(self._engine, stage, outcome).inc()
        self.run_seconds.labels(self._engine, stage).observe(run_seconds)
        if outcome == "succeeded" and audio_seconds:
            self.audio_seconds.labels(self._engine, stage).inc(audio_seconds)

    def started(self, *, stage: str, queue_seconds: float) -> None:
        """Measure how long a task waited."""
        self.queue_seconds.labels(self._engine, stage).observe(queue_seconds)

    def lost(self) -> None:
        """Count a claim that is not ours any more."""
        self.claims_lost.labels(self._engine).inc()

    def retried(self) -> None:
        """Count a call that is made again."""
        self.retries.labels(self._engine).inc()

    def busy(self, slots: int) -> None:
        """Set how many tasks run now."""
        self.busy_slots.labels(self._engine).set(slots)

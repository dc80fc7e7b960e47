"""The operator's Prometheus metrics."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter(
    "dalston_operator_reconciles_total", "Reconciles by kind and outcome.", ["kind", "outcome"]
)
RECONCILE_SECONDS = Histogram(
    "dalston_operator_reconcile_seconds",
    "Seconds of one reconcile, with its writes.",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
QUEUE_DEPTH = Gauge("dalston_operator_queue_depth", "Keys that wait to be reconciled.", ["kind"])
TASKS_PUBLISHED = Counter(
    "dalston_operator_tasks_published_total", "Tasks published, by stage.", ["stage"]
)
EVENTS_FOLDED = Counter("dalston_operator_events_total", "Task events received, by type.", ["type"])
STATUS_WRITES = Counter(
    "dalston_operator_status_writes_total", "Status writes to the API server, by kind.", ["kind"]
)
JOBS_FINISHED = Counter(
    "dalston_operator_jobs_finished_total", "Jobs that ended, by phase.", ["phase"]
)
JOBS_TRACKED = Gauge("dalston_operator_jobs_tracked", "Unfinished jobs in memory.")
STAGE_SECONDS = Histogram(
    "dalston_operator_stage_seconds",
    "Seconds that a stage's tasks waited and ran, by stage and kind of time.",
    ["stage", "time"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200),
)
ENGINE_BACKLOG = Gauge(
    "dalston_operator_engine_tasks", "Tasks of an engine, waiting and running.", ["engine", "state"]
)
ENGINE_WORKERS = Gauge(
    "dalston_operator_engine_workers",
    "Workers of an engine, existing and ready.",
    ["engine", "state"],
)
WORKERS_CREATED = Counter(
    "dalston_operator_workers_created_total", "Worker Jobs created, by engine.", ["engine"]
)
REPUBLISHED = Counter(
    "dalston_operator_tasks_republished_total", "Tasks that were lost and published again."
)
SWEPT = Counter("dalston_operator_swept_total", "Left-overs removed, by kind.", ["kind"])
LEADER = Gauge("dalston_operator_leader", "1 while this process holds the Lease.")
LOOP_LAG = Gauge("dalston_operator_event_loop_lag_seconds", "Delay of the last timer on the loop.")

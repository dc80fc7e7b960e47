"""Every name on the bus.

| name              | kind               | subjects                                                |
|-------------------|--------------------|---------------------------------------------------------|
| DALSTON_TASKS     | stream, work queue | dalston.task.<engine>.<lane>.<job>.<stage>.<part>       |
| DALSTON_EVENTS    | stream, limits     | dalston.event.<job>.<stage>.<type>, delivery advisories |
| DALSTON_DEAD      | stream, limits     | dalston.dead.<engine>.<lane>.<job>.<stage>.<part>       |
| dalston-claims    | key-value          | <job>.<stage>.<part>                                    |
| core NATS         | publish, subscribe | dalston.cancel.<job>, dalston.progress.<job>            |
"""

from dalston.pipeline.tasks import TaskId
from dalston.resources.stages import Stage

TASKS = "DALSTON_TASKS"
EVENTS = "DALSTON_EVENTS"
DEAD = "DALSTON_DEAD"
CLAIMS = "dalston-claims"

ALL_TASKS = "dalston.task.>"
ALL_EVENTS = "dalston.event.>"
ALL_DEAD = "dalston.dead.>"
ALL_CANCELS = "dalston.cancel.*"
ALL_PROGRESS = "dalston.progress.*"
MAX_DELIVERIES = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{TASKS}.*"

OPERATOR_CONSUMER = "operator"


def task(*, engine: str, lane: str, task: TaskId) -> str:
    """Give the subject that a task is published on."""
    return f"dalston.task.{engine}.{lane}.{task.job}.{task.stage}.{task.part}"


def lane_filter(engine: str, lane: str) -> str:
    """Give the filter of the consumer of an engine and lane."""
    return f"dalston.task.{engine}.{lane}.>"


def tasks_of_job(job: str) -> str:
    """Give the filter of everything queued for a job."""
    return f"dalston.task.*.*.{job}.>"


def dead_of_job(job: str) -> str:
    """Give the filter of the dead letters of a job."""
    return f"dalston.dead.*.*.{job}.>"


def dead_letter(task_subject: str) -> str:
    """Give the subject under which an undeliverable task is kept."""
    return "dalston.dead." + task_subject.removeprefix("dalston.task.")


def consumer(engine: str, lane: str) -> str:
    """Give the name of the durable consumer of an engine and lane."""
    return f"{engine}_{lane}"


def dedicated_lane(job: str) -> str:
    """Give the lane of a job that has workers of its own."""
    return f"job-{job}"


def event(*, job: str, stage: Stage, type: str) -> str:
    """Give the subject that an event is published on."""
    return f"dalston.event.{job}.{stage}.{type}"


def cancel(job: str) -> str:
    """Give the subject that tells workers to stop a job's tasks."""
    return f"dalston.cancel.{job}"


def progress(job: str) -> str:
    """Give the subject of the progress of a job's tasks."""
    return f"dalston.progress.{job}"


def claim(task: TaskId) -> str:
    """Give the key of the claim on a part; the attempt is in the value."""
    return f"{task.job}.{task.stage}.{task.part}"


def claims_of_job(job: str) -> str:
    """Give the subject filter of all claims of a job."""
    return f"$KV.{CLAIMS}.{job}.>"

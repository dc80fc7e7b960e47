"""A batch/v1 Job as its controller's decisions see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dalston.localkube.controllers import conditions
from dalston.localkube.controllers.times import seconds_of

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobFacts:
    """The Job's wishes, and `status` as it was last written."""

    name: str
    uid: str
    parallelism: int = 1
    completions: int | None = 1
    indexed: bool = False
    backoff_limit: int = 6
    active_deadline: int | None = None
    ttl: int | None = None
    suspended: bool = False
    deleting: bool = False
    replace_failed_only: bool = False
    restarts_containers: bool = False
    failure_rules: tuple[JSON, ...] = ()
    status: JSON = field(default_factory=dict)

    @property
    def conditions(self) -> list[JSON]:
        """The conditions written so far."""
        return list(self.status.get("conditions") or ())

    @property
    def finished_at(self) -> float | None:
        """When it completed or failed for good; None while it has not."""
        for type in ("Complete", "Failed"):
            if conditions.is_true(self.conditions, type):
                found = conditions.find(self.conditions, type)
                return seconds_of((found or {})["lastTransitionTime"])
        return None

    @property
    def started_at(self) -> float | None:
        """When it last left suspension, or was first seen."""
        return seconds_of(self.status.get("startTime"))


def facts_of(job: JSON) -> JobFacts:
    """Read a Job."""
    meta, spec = job["metadata"], job["spec"]
    return JobFacts(
        name=meta["name"],
        uid=meta["uid"],
        parallelism=int(spec.get("parallelism", 1)),
        completions=spec.get("completions"),
        indexed=spec.get("completionMode") == "Indexed",
        backoff_limit=int(spec.get("backoffLimit", 6)),
        active_deadline=spec.get("activeDeadlineSeconds"),
        ttl=spec.get("ttlSecondsAfterFinished"),
        suspended=bool(spec.get("suspend")),
        deleting="deletionTimestamp" in meta,
        replace_failed_only=spec.get("podReplacementPolicy") == "Failed",
        restarts_containers=spec["template"]["spec"].get("restartPolicy") == "OnFailure",
        failure_rules=tuple((spec.get("podFailurePolicy") or {}).get("rules") or ()),
        status=job.get("status") or {},
    )

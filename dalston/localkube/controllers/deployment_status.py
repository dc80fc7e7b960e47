"""A Deployment's status: counts, and the conditions Available and Progressing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dalston.localkube.controllers import conditions
from dalston.localkube.controllers.rollout import SetFacts, limits_of
from dalston.localkube.controllers.times import seconds_of, stamp

JSON = dict[str, Any]


def status_of(
    deployment: JSON, new: SetFacts | None, olds: Sequence[SetFacts], *, now: float
) -> tuple[JSON, float | None]:
    """The next status, and the seconds until it may change by time alone."""
    spec, before = deployment["spec"], deployment.get("status") or {}
    desired = int(spec["replicas"])
    every = [*olds, *([new] if new else [])]
    available = sum(entry.available for entry in every)
    counts = {
        "replicas": sum(entry.replicas for entry in every),
        "updatedReplicas": new.replicas if new else 0,
        "readyReplicas": sum(entry.ready for entry in every),
        "availableReplicas": available,
        "unavailableReplicas": max(0, desired - available),
    }
    status: JSON = {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = deployment["metadata"].get("generation", 1)
    least = desired - limits_of(spec.get("strategy") or {}, desired).unavailable
    listed = _available(before, available >= least, now)
    complete = counts["updatedReplicas"] == desired == counts["replicas"] and available >= desired
    moved = any(before.get(name, 0) != count for name, count in counts.items())
    name = new.name if new else ""
    listed, again = _progressing(spec, listed, name, complete=complete, moved=moved, now=now)
    return {**status, "conditions": listed}, again


def _available(before: JSON, enough: bool, now: float) -> list[JSON]:
    return conditions.with_condition(
        before.get("conditions"),
        "Available",
        status=enough,
        reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        message="Deployment has minimum availability."
        if enough
        else "Deployment does not have minimum availability.",
        now=now,
    )


def _progressing(
    spec: JSON, listed: list[JSON], name: str, *, complete: bool, moved: bool, now: float
) -> tuple[list[JSON], float | None]:
    """Progressing: true while pods come up in time, and afterwards; `lastUpdateTime` is the last move."""
    old = conditions.find(listed, "Progressing")
    reason, words, holds = "ReplicaSetUpdated", "is progressing.", True
    again: float | None = None
    if complete:
        reason, words = "NewReplicaSetAvailable", "has successfully progressed."
    elif not moved and old is not None and old["reason"] != "NewReplicaSetAvailable":
        deadline = float(spec.get("progressDeadlineSeconds", 600))
        since = seconds_of(old.get("lastUpdateTime") or old["lastTransitionTime"]) or now
        again = since + deadline - now
        if again <= 0:
            again, holds = None, False
            reason, words = "ProgressDeadlineExceeded", "has timed out progressing."
    new = conditions.with_condition(
        listed,
        "Progressing",
        status=holds,
        reason=reason,
        message=f'ReplicaSet "{name}" {words}',
        now=now,
    )
    entry = conditions.find(new, "Progressing")
    assert entry is not None
    changed = (
        old is None or moved or {**entry, "lastUpdateTime": ""} != {**old, "lastUpdateTime": ""}
    )
    entry["lastUpdateTime"] = (
        stamp(now) if changed or old is None else old.get("lastUpdateTime", stamp(now))
    )
    if again is None and holds and not complete:
        again = float(spec.get("progressDeadlineSeconds", 600))
    return new, again

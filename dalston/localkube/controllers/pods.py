"""What controllers read from a pod, and how they make one from a template."""

from __future__ import annotations

import copy
import secrets
import time
from dataclasses import dataclass
from typing import Any

from dalston.kube import AlreadyExists, Kind, KubeClient
from dalston.kube.kinds import PODS
from dalston.localkube.controllers import conditions
from dalston.localkube.controllers.source import controller_of
from dalston.localkube.controllers.times import seconds_of

JSON = dict[str, Any]

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
UNCOUNTED = "localkube.dalston.io/uncounted"
"""Annotation of a pod that its Job's controller deletes and that is no failure of the Job."""

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """A container that ended."""

    container: str
    code: int


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod as far as decisions need it; times are Unix seconds."""

    name: str
    uid: str
    phase: str = "Pending"
    deleting: bool = False
    bound: bool = False
    ready: bool = False
    ready_since: float | None = None
    finished_at: float | None = None
    created_at: float = 0.0
    index: int | None = None
    uncounted: bool = False
    restarts: int = 0
    deletion_cost: int = 0
    exits: tuple[ContainerExit, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all containers ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def active(self) -> bool:
        """Whether it runs or will, and nobody wants it gone."""
        return not self.finished and not self.deleting

    @property
    def terminating(self) -> bool:
        """Whether it is on its way out."""
        return self.deleting and not self.finished

    @property
    def disrupted(self) -> bool:
        """Whether it ended for a reason that lies outside of it."""
        return ("DisruptionTarget", "True") in self.conditions

    def available(self, *, now: float, min_ready_seconds: int) -> bool:
        """Whether it has been ready for so long."""
        if not self.ready:
            return False
        return min_ready_seconds == 0 or now - (self.ready_since or now) >= min_ready_seconds


def facts_of(pod: JSON) -> PodFacts:
    """Read a pod."""
    meta, status = pod["metadata"], pod.get("status") or {}
    annotations = meta.get("annotations") or {}
    entries = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    ends = [
        (entry["name"], entry["state"]["terminated"])
        for entry in entries
        if "terminated" in (entry.get("state") or {})
    ]
    finished = [seconds_of(end.get("finishedAt")) or 0.0 for _, end in ends]
    ready = conditions.find(status.get("conditions"), "Ready")
    is_ready = ready is not None and ready["status"] == "True"
    return PodFacts(
        name=meta["name"],
        uid=meta["uid"],
        phase=status.get("phase") or "Pending",
        deleting="deletionTimestamp" in meta,
        bound=bool(pod["spec"].get("nodeName")),
        ready=is_ready,
        ready_since=seconds_of(ready["lastTransitionTime"]) if ready and is_ready else None,
        finished_at=max(finished) if finished else None,
        created_at=seconds_of(meta["creationTimestamp"]) or 0.0,
        index=_number(annotations.get(COMPLETION_INDEX)),
        uncounted=UNCOUNTED in annotations,
        restarts=sum(int(entry.get("restartCount") or 0) for entry in entries),
        deletion_cost=_number(annotations.get(DELETION_COST)) or 0,
        exits=tuple(ContainerExit(name, int(end["exitCode"])) for name, end in ends),
        conditions=tuple(
            (entry["type"], entry["status"]) for entry in status.get("conditions") or ()
        ),
    )


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def fresh_name(base: str, length: int = 5) -> str:
    """A name for a pod of the object named `base`: never used before, chosen before the request."""
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(length))
    return f"{base[: 63 - length - 1].rstrip('-.')}-{suffix}"


def owner_reference(owner: JSON, kind: Kind) -> JSON:
    """The reference with which `owner` controls its pods."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def from_template(template: JSON, *, name: str, namespace: str, owner: JSON) -> JSON:
    """A pod of that template; `owner` is its owner reference."""
    meta = template.get("metadata") or {}
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(meta.get("labels") or {}),
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [owner],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


async def create_once(client: KubeClient, pod: JSON) -> JSON:
    """Create a pod of a fresh name; an answer that got lost does not make a second one."""
    meta = pod["metadata"]
    try:
        return await client.create(PODS, pod, namespace=meta["namespace"])
    except AlreadyExists:
        found = await client.get(PODS, meta["name"], namespace=meta["namespace"])
        owner, wanted = controller_of(found), meta["ownerReferences"][0]
        if owner is None or owner["uid"] != wanted["uid"]:
            raise
        return found


async def delete_pod(client: KubeClient, pod: PodFacts, *, namespace: str) -> JSON:
    """Delete exactly this pod, gracefully."""
    path = PODS.path(namespace, pod.name)
    return await client.request("DELETE", path, body={"preconditions": {"uid": pod.uid}})


def now() -> float:
    """Unix time; what conditions and deadlines are written in."""
    return time.time()

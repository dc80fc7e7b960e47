"""A pod's status from what its containers do: decisions without I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dalston.localkube.controllers.conditions import find, with_condition
from dalston.localkube.controllers.times import stamp
from dalston.localkube.kubelet.process import Exit

JSON = dict[str, Any]

ADDRESS = "127.0.0.1"
"""Address of the node."""


def pod_address(pod: JSON) -> str:
    """Give the pod's own address: pods share the machine's network, but not one address of it.

    All of 127.0.0.0/8 is loopback on Linux, so that pods that listen on their own address may use the
    same port, as on a cluster. 127.0.0.0/16 is left to the machine.
    """
    if pod["spec"].get("hostNetwork"):
        return ADDRESS
    first, second, third = hashlib.sha256(pod["metadata"]["uid"].encode()).digest()[:3]
    return f"127.{1 + first % 254}.{second}.{1 + third % 254}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """What one container does. Neither started nor ended means that it waits, for `waiting`."""

    name: str
    image: str
    id: str = ""
    waiting: str = "ContainerCreating"
    message: str = ""
    started_at: float | None = None
    end: Exit | None = None
    last: Exit | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False

    @property
    def running(self) -> bool:
        """Whether its processes are there."""
        return self.started_at is not None and self.end is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod's containers and what happened to it as a whole."""

    inits: Sequence[ContainerView]
    containers: Sequence[ContainerView]
    restart_policy: str
    address: str = ADDRESS
    ended: bool = False
    """Nothing of it will ever run again."""
    reason: str = ""
    message: str = ""
    disruption: str = ""
    """Reason of the DisruptionTarget condition."""
    node_start: float


def phase_of(view: PodView) -> str:
    """Pending, Running, Succeeded or Failed."""
    every = [*view.inits, *view.containers]
    if view.ended:
        if view.reason or view.disruption:
            return "Failed"
        good = all(container.end is not None and container.end.code == 0 for container in every)
        return "Succeeded" if good else "Failed"
    seen = [entry for entry in view.containers if entry.running or entry.end or entry.last]
    return "Running" if len(seen) == len(view.containers) else "Pending"


def status_of(view: PodView, before: JSON, *, now: float) -> JSON:
    """The whole status; conditions that others wrote stay."""
    phase = phase_of(view)
    status: JSON = {
        "phase": phase,
        "hostIP": ADDRESS,
        "podIP": view.address,
        "podIPs": [{"ip": view.address}],
        "hostIPs": [{"ip": ADDRESS}],
        "startTime": before.get("startTime") or stamp(view.node_start),
        "qosClass": before.get("qosClass", "BestEffort"),
        "conditions": _conditions(view, phase, before, now),
        "containerStatuses": [_container(entry) for entry in view.containers],
    }
    if view.inits:
        status["initContainerStatuses"] = [_container(entry) for entry in view.inits]
    if view.reason:
        status["reason"] = view.reason
    if view.message:
        status["message"] = view.message
    return status


def _conditions(view: PodView, phase: str, before: JSON, now: float) -> list[JSON]:
    listed = list(before.get("conditions") or ())
    unready = [entry.name for entry in view.containers if not entry.ready]
    undone = [entry.name for entry in view.inits if entry.end is None or entry.end.code != 0]
    over = phase in ("Succeeded", "Failed")
    why = "PodFailed" if phase == "Failed" else "PodCompleted"
    problem = "" if not unready else why if over else "ContainersNotReady"
    words = "" if over or not unready else f"containers with unready status: [{' '.join(unready)}]"
    wanted = {
        "PodScheduled": (True, "", ""),
        "PodReadyToStartContainers": (not over, "", ""),
        "Initialized": (
            not undone,
            "ContainersNotInitialized" if undone else "",
            f"containers with incomplete status: [{' '.join(undone)}]" if undone else "",
        ),
        "ContainersReady": (not unready, problem, words),
        "Ready": (not unready, problem, words),
    }
    if view.disruption:
        message = "Pod was terminated in response to imminent node shutdown."
        wanted["DisruptionTarget"] = (True, view.disruption, message)
    for type, (holds, reason, message) in wanted.items():
        old = find(listed, type)
        if (
            old is None
            or (old["status"] == "True") is not holds
            or old.get("message", "") != message
        ):
            listed = with_condition(
                listed, type, status=holds, reason=reason, message=message, now=now
            )
    return listed


def _container(view: ContainerView) -> JSON:
    status: JSON = {
        "name": view.name,
        "image": view.image,
        "imageID": view.image if view.id else "",
        "ready": view.ready,
        "started": view.started,
        "restartCount": view.restarts,
        "state": _state(view),
        "lastState": {"terminated": _terminated(view.last, view.id)} if view.last else {},
    }
    if view.id:
        status["containerID"] = view.id
    return status


def _state(view: ContainerView) -> JSON:
    if view.end is not None:
        return {"terminated": _terminated(view.end, view.id)}
    if view.started_at is not None:
        return {"running": {"startedAt": stamp(view.started_at)}}
    waiting: JSON = {"reason": view.waiting}
    if view.message:
        waiting["message"] = view.message
    return {"waiting": waiting}


def _terminated(end: Exit, id: str) -> JSON:
    ended: JSON = {
        "exitCode": end.code,
        "reason": end.reason,
        "startedAt": stamp(end.started_at),
        "finishedAt": stamp(end.finished_at),
        "containerID": id,
    }
    if end.message:
        ended["message"] = end.message
    return ended

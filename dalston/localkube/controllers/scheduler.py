"""The scheduler of one node: binds every pod at once, unless it asks for a device that is not free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from dalston.kube import KubeClient, NotFound, WatchEventType
from dalston.kube.kinds import PODS
from dalston.localkube.controllers import conditions
from dalston.localkube.controllers.events import EventRecorder
from dalston.localkube.controllers.pods import now
from dalston.localkube.controllers.queue import WorkQueue
from dalston.localkube.controllers.source import Key, Source, key_of
from dalston.localkube.quantities import parse_quantity

JSON = dict[str, Any]

_NATIVE = frozenset({"cpu", "memory", "ephemeral-storage", "pods"})


def extended_requests(pod: JSON) -> Counter[str]:
    """Devices that a pod asks for, by resource name: cpu and memory are not counted."""
    spec = pod["spec"]
    asked: Counter[str] = Counter()
    for container in spec["containers"]:
        asked.update(_extended(container))
    for container in spec.get("initContainers") or ():
        asked |= Counter(_extended(container))
    return asked


def _extended(container: JSON) -> dict[str, int]:
    resources = container.get("resources") or {}
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {
        name: int(parse_quantity(amount))
        for name, amount in merged.items()
        if name not in _NATIVE and not name.startswith("hugepages-")
    }


def shortage(pod: JSON, *, allocatable: JSON, others: Iterable[JSON]) -> str:
    """Why the node cannot take the pod, in the real scheduler's words; empty when it can."""
    asked = extended_requests(pod)
    if not asked:
        return ""
    used: Counter[str] = Counter()
    for other in others:
        used.update(extended_requests(other))
    lacking = [
        name
        for name, amount in asked.items()
        if used[name] + amount > int(parse_quantity(allocatable.get(name, "0")))
    ]
    if not lacking:
        return ""
    names = ", ".join(f"1 Insufficient {name}" for name in sorted(lacking))
    return (
        f"0/1 nodes are available: {names}. preemption: 0/1 nodes are available: 1 No preemption "
        "victims found for incoming pod."
    )


class Scheduler:
    """Binds pods to the one node; run `queue.run()` as a task."""

    def __init__(
        self, client: KubeClient, *, pods: Source, nodes: Source, recorder: EventRecorder
    ) -> None:
        self._client = client
        self._pods = pods
        self._nodes = nodes
        self._recorder = recorder
        self._unschedulable: set[Key] = set()
        # One worker: two pods must not get the same device.
        self.queue: WorkQueue[Key] = WorkQueue("pod", self.reconcile, workers=1)
        pods.listeners.append(self._pod_changed)
        nodes.listeners.append(self._node_changed)

    def _pod_changed(self, type: WatchEventType, pod: JSON) -> None:
        key = key_of(pod)
        if type is WatchEventType.DELETED:
            self._unschedulable.discard(key)
        elif not pod["spec"].get("nodeName"):
            self.queue.add(key)
            return
        if self._unschedulable and (
            type is WatchEventType.DELETED or pod["status"].get("phase") in ("Succeeded", "Failed")
        ):
            self._try_all_again()

    def _node_changed(self, _: WatchEventType, __: JSON) -> None:
        self._try_all_again()

    def _try_all_again(self) -> None:
        for pod in self._pods.all():
            if not pod["spec"].get("nodeName"):
                self.queue.add(key_of(pod))

    async def reconcile(self, key: Key) -> float | None:
        """Bind one pod, or say why not."""
        pod = self._pods.get(key)
        if pod is None or pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return None
        node = next(self._nodes.all(), None)
        if pod["spec"].get("schedulingGates"):
            await self._refuse(
                pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"
            )
            return None
        if node is None:
            # The kubelet is about to register it, which brings us here again.
            return None
        name = node["metadata"]["name"]
        others = [
            other
            for other in self._pods.all()
            if other["spec"].get("nodeName") == name
            and other["status"].get("phase") not in ("Succeeded", "Failed")
        ]
        problem = shortage(pod, allocatable=node["status"]["allocatable"], others=others)
        if problem:
            await self._refuse(pod, "Unschedulable", problem)
        else:
            await self._bind(pod, name)
        return None

    async def _bind(self, pod: JSON, node: str) -> None:
        namespace, name = key_of(pod)
        self._unschedulable.discard((namespace, name))
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "spec": {"nodeName": node}}
        try:
            bound = await self._client.patch(PODS, name, body, namespace=namespace)
        except NotFound:
            return
        self._pods.assume(bound)
        message = f"Successfully assigned {namespace}/{name} to {node}"
        self._recorder.normal(pod, "Scheduled", message)

    async def _refuse(self, pod: JSON, reason: str, message: str) -> None:
        namespace, name = key_of(pod)
        self._unschedulable.add((namespace, name))
        status = pod.get("status") or {}
        listed = conditions.with_condition(
            status.get("conditions"),
            "PodScheduled",
            status=False,
            reason=reason,
            message=message,
            now=now(),
        )
        if listed == status.get("conditions"):
            return
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": listed}}
        try:
            written = await self._client.patch(PODS, name, body, namespace=namespace, sub="status")
        except NotFound:
            return
        self._pods.assume(written)
        if reason == "Unschedulable":
            self._recorder.warning(pod, "FailedScheduling", message)

"""The ReplicaSet controller: as many pods as `spec.replicas` says, the least valuable go first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dalston.kube import KubeClient, NotFound, WatchEventType
from dalston.kube.kinds import PODS, REPLICA_SETS
from dalston.localkube.controllers import conditions
from dalston.localkube.controllers.events import EventRecorder
from dalston.localkube.controllers.pods import (
    PodFacts,
    create_once,
    delete_pod,
    facts_of,
    fresh_name,
    from_template,
    now,
    owner_reference,
)
from dalston.localkube.controllers.queue import WorkQueue
from dalston.localkube.controllers.settings import ControllerSettings
from dalston.localkube.controllers.source import Key, Source, controller_of, key_of

JSON = dict[str, Any]


def victims(pods: Sequence[PodFacts], count: int) -> list[PodFacts]:
    """The pods to delete first: unbound, pending, unready, cheap, then young ones."""
    return sorted(
        pods,
        key=lambda pod: (
            pod.bound,
            pod.phase == "Running",
            pod.ready,
            pod.deletion_cost,
            -(pod.ready_since or 0.0),
            -pod.restarts,
            -pod.created_at,
        ),
    )[:count]


def status_of(replica_set: JSON, pods: Sequence[PodFacts], *, at: float) -> JSON:
    """The status of a ReplicaSet with those active pods."""
    spec = replica_set["spec"]
    wait = int(spec.get("minReadySeconds") or 0)
    status: JSON = {
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": sum(pod.ready for pod in pods),
        "availableReplicas": sum(pod.available(now=at, min_ready_seconds=wait) for pod in pods),
        "observedGeneration": replica_set["metadata"].get("generation", 1),
    }
    always = ("replicas", "observedGeneration")
    return {name: value for name, value in status.items() if value or name in always}


class ReplicaSetController:
    """Keeps the pods and the status of every ReplicaSet; run `queue.run()` as a task."""

    def __init__(
        self,
        client: KubeClient,
        *,
        replica_sets: Source,
        pods: Source,
        recorder: EventRecorder,
        settings: ControllerSettings,
    ) -> None:
        self._client = client
        self._sets = replica_sets
        self._pods = pods
        self._recorder = recorder
        self._settings = settings
        self.queue: WorkQueue[Key] = WorkQueue("replicaset", self.reconcile)
        replica_sets.listeners.append(lambda _, obj: self.queue.add(key_of(obj)))
        pods.listeners.append(self._pod_changed)

    def _pod_changed(self, _: WatchEventType, pod: JSON) -> None:
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == REPLICA_SETS.kind:
            self.queue.add((key_of(pod)[0], owner["name"]))

    async def reconcile(self, key: Key) -> float | None:
        """One step for one ReplicaSet."""
        replica_set = self._sets.get(key)
        if replica_set is None:
            return None
        meta, spec = replica_set["metadata"], replica_set["spec"]
        pods = [facts_of(pod) for pod in self._pods.owned_by(meta["uid"])]
        active = [pod for pod in pods if pod.active]
        if "deletionTimestamp" not in meta:
            await self._resize(replica_set, active)
            await self._remove([pod for pod in pods if pod.finished and not pod.deleting], key[0])
        at = now()
        await self._write_status(replica_set, status_of(replica_set, active, at=at))
        wait = int(spec.get("minReadySeconds") or 0)
        young = [
            pod for pod in active if pod.ready and not pod.available(now=at, min_ready_seconds=wait)
        ]
        return 1.0 if young else None

    async def _resize(self, replica_set: JSON, active: Sequence[PodFacts]) -> None:
        lacking = int(replica_set["spec"]["replicas"]) - len(active)
        if lacking > 0:
            count = min(lacking, self._settings.pod_burst)
            await asyncio.gather(*(self._create(replica_set) for _ in range(count)))
        elif lacking < 0:
            chosen = victims(active, -lacking)
            for pod in chosen:
                message = f"Deleted pod: {pod.name}"
                self._recorder.normal(replica_set, "SuccessfulDelete", message)
            await self._remove(chosen, replica_set["metadata"]["namespace"])

    async def _create(self, replica_set: JSON) -> None:
        meta = replica_set["metadata"]
        pod = from_template(
            replica_set["spec"]["template"],
            name=fresh_name(meta["name"]),
            namespace=meta["namespace"],
            owner=owner_reference(replica_set, REPLICA_SETS),
        )
        self._pods.assume(await create_once(self._client, pod))
        message = f"Created pod: {pod['metadata']['name']}"
        self._recorder.normal(replica_set, "SuccessfulCreate", message)

    async def _remove(self, pods: Sequence[PodFacts], namespace: str) -> None:
        """Delete pods; ended ones too: nothing on one machine needs thousands of them kept."""
        for pod in pods:
            try:
                left = await delete_pod(self._client, pod, namespace=namespace)
            except NotFound:
                continue
            if left.get("kind") == PODS.kind:
                self._pods.assume(left)

    async def _write_status(self, replica_set: JSON, status: JSON) -> None:
        patch = conditions.merge_patch(replica_set.get("status") or {}, status)
        if not patch:
            return
        namespace, name = key_of(replica_set)
        body = {"metadata": {"uid": replica_set["metadata"]["uid"]}, "status": patch}
        try:
            written = await self._client.patch(
                REPLICA_SETS, name, body, namespace=namespace, sub="status"
            )
        except NotFound:
            return
        self._sets.assume(written)

"""The Deployment controller: one ReplicaSet per pod template, rolled from the old to the new."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from dalston.kube import AlreadyExists, KubeClient, NotFound, WatchEventType
from dalston.kube.kinds import DEPLOYMENTS, REPLICA_SETS
from dalston.localkube.controllers import conditions
from dalston.localkube.controllers.deployment_status import status_of
from dalston.localkube.controllers.events import EventRecorder
from dalston.localkube.controllers.pods import facts_of, now, owner_reference
from dalston.localkube.controllers.queue import WorkQueue
from dalston.localkube.controllers.rollout import SetFacts, limits_of, next_sizes
from dalston.localkube.controllers.source import Key, Source, controller_of, key_of
from dalston.localkube.controllers.times import seconds_of

JSON = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: JSON) -> str:
    """Ten letters that name a pod template; equal templates get equal ones."""
    number = int.from_bytes(
        hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()[:8], "big"
    )
    letters = []
    for _ in range(10):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters)


def set_facts(replica_set: JSON) -> SetFacts:
    """Read a ReplicaSet."""
    status = replica_set.get("status") or {}
    return SetFacts(
        name=replica_set["metadata"]["name"],
        wanted=int(replica_set["spec"].get("replicas", 1)),
        replicas=int(status.get("replicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        created_at=seconds_of(replica_set["metadata"]["creationTimestamp"]) or 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Sets:
    new: JSON | None
    olds: Sequence[JSON]
    hash: str


class DeploymentController:
    """Keeps the ReplicaSets and the status of every Deployment; run `queue.run()` as a task."""

    def __init__(
        self,
        client: KubeClient,
        *,
        deployments: Source,
        replica_sets: Source,
        pods: Source,
        recorder: EventRecorder,
    ) -> None:
        self._client = client
        self._deployments = deployments
        self._sets = replica_sets
        self._pods = pods
        self._recorder = recorder
        self.queue: WorkQueue[Key] = WorkQueue("deployment", self.reconcile)
        deployments.listeners.append(lambda _, obj: self.queue.add(key_of(obj)))
        replica_sets.listeners.append(self._set_changed)
        pods.listeners.append(self._pod_changed)

    def _pod_changed(self, type: WatchEventType, pod: JSON) -> None:
        """A Recreate rollout waits for pods that are gone, which no ReplicaSet's status shows."""
        owner = controller_of(pod)
        if type is WatchEventType.DELETED and owner is not None:
            replica_set = self._sets.get((key_of(pod)[0], owner["name"]))
            if replica_set is not None:
                self._set_changed(type, replica_set)

    def _set_changed(self, _: WatchEventType, replica_set: JSON) -> None:
        owner = controller_of(replica_set)
        if owner is not None and owner["kind"] == DEPLOYMENTS.kind:
            self.queue.add((key_of(replica_set)[0], owner["name"]))

    async def reconcile(self, key: Key) -> float | None:
        """One step for one Deployment."""
        deployment = self._deployments.get(key)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return None
        sets = self._observe(deployment)
        paused = bool(deployment["spec"].get("paused"))
        if sets.new is None and not paused:
            created = await self._create_set(deployment, sets)
            sets = _Sets(created, sets.olds, sets.hash)
        if sets.new is not None:
            await self._scale(deployment, sets)
            if not paused:
                await self._prune(deployment, sets)
        return await self._write_status(deployment)

    def _observe(self, deployment: JSON) -> _Sets:
        wanted = template_hash(deployment["spec"]["template"])
        owned = self._sets.owned_by(deployment["metadata"]["uid"])
        new = [entry for entry in owned if _hash_of(entry) == wanted]
        olds = [entry for entry in owned if _hash_of(entry) != wanted]
        return _Sets(new[0] if new else None, olds, wanted)

    async def _create_set(self, deployment: JSON, sets: _Sets) -> JSON | None:
        revision = 1 + max((_revision(entry) for entry in sets.olds), default=0)
        body = new_set(deployment, sets.hash, revision)
        namespace, name = key_of(body)
        try:
            created = await self._client.create(REPLICA_SETS, body, namespace=namespace)
        except AlreadyExists:
            created = await self._client.get(REPLICA_SETS, name, namespace=namespace)
            owner = controller_of(created)
            if owner is None or owner["uid"] != deployment["metadata"]["uid"]:
                raise
        self._sets.assume(created)
        await self._note_revision(deployment, revision)
        return created

    async def _note_revision(self, deployment: JSON, revision: int) -> None:
        namespace, name = key_of(deployment)
        body = {
            "metadata": {
                "uid": deployment["metadata"]["uid"],
                "annotations": {REVISION: str(revision)},
            }
        }
        written = await self._client.patch(DEPLOYMENTS, name, body, namespace=namespace)
        self._deployments.assume(written)

    async def _scale(self, deployment: JSON, sets: _Sets) -> None:
        assert sets.new is not None
        spec = deployment["spec"]
        new, olds = set_facts(sets.new), [self._with_pods(entry) for entry in sets.olds]
        if _revision(sets.new) < max((_revision(entry) for entry in sets.olds), default=0):
            await self._renew_revision(deployment, sets)
        desired = int(spec["replicas"])
        strategy = spec.get("strategy") or {}
        sizes = next_sizes(
            desired,
            new,
            olds,
            limits=limits_of(strategy, desired),
            recreate=strategy.get("type") == "Recreate",
        )
        if spec.get("paused"):
            sizes = {name: size for name, size in sizes.items() if not any(o.wanted for o in olds)}
        for entry in (sets.new, *sets.olds):
            if entry["metadata"]["name"] in sizes:
                await self._resize(deployment, entry, sizes[entry["metadata"]["name"]])

    def _with_pods(self, replica_set: JSON) -> SetFacts:
        """The facts of a ReplicaSet, with every pod of it that has not ended."""
        pods = [facts_of(pod) for pod in self._pods.owned_by(replica_set["metadata"]["uid"])]
        return replace(set_facts(replica_set), pods=sum(not pod.finished for pod in pods))

    async def _renew_revision(self, deployment: JSON, sets: _Sets) -> None:
        """A template that came back is the newest revision again."""
        assert sets.new is not None
        revision = 1 + max(_revision(entry) for entry in sets.olds)
        namespace, name = key_of(sets.new)
        body = {"metadata": {"annotations": {REVISION: str(revision)}}}
        written = await self._client.patch(REPLICA_SETS, name, body, namespace=namespace)
        self._sets.assume(written)
        await self._note_revision(deployment, revision)

    async def _resize(self, deployment: JSON, replica_set: JSON, size: int) -> None:
        namespace, name = key_of(replica_set)
        before = int(replica_set["spec"].get("replicas", 1))
        body = {"metadata": {"uid": replica_set["metadata"]["uid"]}, "spec": {"replicas": size}}
        try:
            written = await self._client.patch(REPLICA_SETS, name, body, namespace=namespace)
        except NotFound:
            return
        self._sets.assume(written)
        verb = "up" if size > before else "down"
        message = f"Scaled {verb} replica set {name} from {before} to {size}"
        self._recorder.normal(deployment, "ScalingReplicaSet", message)

    async def _prune(self, deployment: JSON, sets: _Sets) -> None:
        """Delete empty old ReplicaSets beyond the history that is kept."""
        keep = int(deployment["spec"].get("revisionHistoryLimit", 10))
        empty = [
            entry
            for entry in sets.olds
            if set_facts(entry).wanted == 0 and set_facts(entry).replicas == 0
        ]
        for entry in sorted(empty, key=_revision)[: max(0, len(empty) - keep)]:
            namespace, name = key_of(entry)
            try:
                await self._client.delete(REPLICA_SETS, name, namespace=namespace)
            except NotFound:
                continue

    async def _write_status(self, deployment: JSON) -> float | None:
        key = key_of(deployment)
        deployment = self._deployments.get(key) or deployment
        sets = self._observe(deployment)
        status, again = status_of(
            deployment,
            set_facts(sets.new) if sets.new else None,
            [set_facts(entry) for entry in sets.olds],
            now=now(),
        )
        patch = conditions.merge_patch(deployment.get("status") or {}, status)
        if patch:
            body = {"metadata": {"uid": deployment["metadata"]["uid"]}, "status": patch}
            try:
                written = await self._client.patch(
                    DEPLOYMENTS, key[1], body, namespace=key[0], sub="status"
                )
            except NotFound:
                return None
            self._deployments.assume(written)
        return again


def new_set(deployment: JSON, hash: str, revision: int) -> JSON:
    """The ReplicaSet of a Deployment's template, still empty."""
    meta, spec = deployment["metadata"], deployment["spec"]
    template = spec["template"]
    inner = template.get("metadata") or {}
    labels = {**(inner.get("labels") or {}), TEMPLATE_HASH: hash}
    selector = spec["selector"]
    matched = {**(selector.get("matchLabels") or {}), TEMPLATE_HASH: hash}
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{meta['name']}-{hash}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": int(spec.get("minReadySeconds") or 0),
            "selector": {**selector, "matchLabels": matched},
            "template": {**template, "metadata": {**inner, "labels": labels}},
        },
    }


def _hash_of(replica_set: JSON) -> str:
    labels = replica_set["metadata"].get("labels") or {}
    return str(labels.get(TEMPLATE_HASH, ""))


def _revision(replica_set: JSON) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))

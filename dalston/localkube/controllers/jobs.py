"""The Job controller: carries out what `job_decision` says."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from dalston.kube import KubeClient, NotFound, WatchEventType
from dalston.kube.kinds import JOBS, PODS
from dalston.localkube.controllers import conditions, job_facts
from dalston.localkube.controllers.events import EventRecorder
from dalston.localkube.controllers.job_decision import Backoff, Deletion, JobPlan, decide
from dalston.localkube.controllers.job_facts import JobFacts
from dalston.localkube.controllers.pods import (
    COMPLETION_INDEX,
    UNCOUNTED,
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

_PREFIX = "batch.kubernetes.io"


class JobController:
    """Keeps the pods and the status of every batch/v1 Job; run `queue.run()` as a task."""

    def __init__(
        self,
        client: KubeClient,
        *,
        jobs: Source,
        pods: Source,
        recorder: EventRecorder,
        settings: ControllerSettings,
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._pods = pods
        self._recorder = recorder
        self._settings = settings
        self._backoff = Backoff(settings.job_backoff_seconds, settings.job_backoff_limit_seconds)
        self._gone: dict[str, dict[str, bool]] = {}
        self.queue: WorkQueue[Key] = WorkQueue("job", self.reconcile)
        jobs.listeners.append(self._job_changed)
        pods.listeners.append(self._pod_changed)

    def _job_changed(self, type: WatchEventType, job: JSON) -> None:
        if type is WatchEventType.DELETED:
            self._gone.pop(job["metadata"]["uid"], None)
        self.queue.add(key_of(job))

    def _pod_changed(self, type: WatchEventType, pod: JSON) -> None:
        owner = controller_of(pod)
        if owner is None or owner["kind"] != JOBS.kind:
            return
        key = (key_of(pod)[0], owner["name"])
        facts = facts_of(pod)
        if type is WatchEventType.DELETED and not facts.uncounted:
            job = self._jobs.get(key)
            if job is not None and job["metadata"]["uid"] == owner["uid"]:
                outcome = facts.phase == "Succeeded"
                self._gone.setdefault(owner["uid"], {})[facts.uid] = outcome
        self.queue.add(key)

    async def reconcile(self, key: Key) -> float | None:
        """One step for one Job; returns the seconds until the next look, if one is due by time."""
        job = self._jobs.get(key)
        if job is None or job["spec"].get("managedBy") not in (None, f"{_PREFIX}/job-controller"):
            return None
        facts = job_facts.facts_of(job)
        gone = dict(self._gone.get(facts.uid, {}))
        pods = [facts_of(pod) for pod in self._pods.owned_by(facts.uid)]
        plan = decide(
            facts,
            pods,
            gone=gone,
            namespace=key[0],
            backoff=self._backoff,
            now=now(),
            burst=self._settings.pod_burst,
        )
        if plan.expired:
            await self._remove(job)
            return None
        await self._act(job, facts, plan)
        self._forget(facts.uid, gone)
        return plan.look_again

    async def _act(self, job: JSON, facts: JobFacts, plan: JobPlan) -> None:
        """Pods are created before the status is written, for speed; deleted after, for what it says."""
        if plan.creations:
            await asyncio.gather(*(self._create(job, index) for index in plan.creations))
        await self._write_status(job, facts, plan)
        namespace = key_of(job)[0]
        for deletion in plan.deletions:
            await self._delete(job, deletion, namespace)
        for warning, reason, message in plan.events:
            (self._recorder.warning if warning else self._recorder.normal)(job, reason, message)

    async def _create(self, job: JSON, index: int | None) -> None:
        pod = job_pod(job, index)
        created = await create_once(self._client, pod)
        self._pods.assume(created)
        message = f"Created pod: {pod['metadata']['name']}"
        self._recorder.normal(job, "SuccessfulCreate", message)

    async def _delete(self, job: JSON, deletion: Deletion, namespace: str) -> None:
        pod = deletion.pod
        try:
            if not deletion.counted:
                await self._mark_uncounted(pod, namespace)
            await delete_pod(self._client, pod, namespace=namespace)
        except NotFound:
            return
        self._recorder.normal(job, "SuccessfulDelete", f"Deleted pod: {pod.name}")

    async def _mark_uncounted(self, pod: PodFacts, namespace: str) -> None:
        mark = {"metadata": {"uid": pod.uid, "annotations": {UNCOUNTED: "true"}}}
        self._pods.assume(await self._client.patch(PODS, pod.name, mark, namespace=namespace))

    async def _write_status(self, job: JSON, facts: JobFacts, plan: JobPlan) -> None:
        patch = conditions.merge_patch(facts.status, plan.status)
        if not patch:
            return
        namespace, name = key_of(job)
        body = {
            "metadata": {"resourceVersion": job["metadata"]["resourceVersion"]},
            "status": patch,
        }
        try:
            written = await self._client.patch(JOBS, name, body, namespace=namespace, sub="status")
        except NotFound:
            return
        self._jobs.assume(written)

    def _forget(self, uid: str, gone: dict[str, bool]) -> None:
        """Drop vanished pods that the status holds now."""
        left = self._gone.get(uid)
        if left is None:
            return
        for pod in gone:
            left.pop(pod, None)
        if not left:
            del self._gone[uid]

    async def _remove(self, job: JSON) -> None:
        namespace, name = key_of(job)
        body = {
            "preconditions": {"uid": job["metadata"]["uid"]},
            "propagationPolicy": "Background",
        }
        try:
            await self._client.request("DELETE", JOBS.path(namespace, name), body=body)
        except NotFound:
            return


def job_pod(job: JSON, index: int | None) -> JSON:
    """A pod of the Job, for that completion index."""
    meta, template = job["metadata"], job["spec"]["template"]
    base = meta["name"] if index is None else f"{meta['name']}-{index}"
    pod = from_template(
        template,
        name=fresh_name(base),
        namespace=meta["namespace"],
        owner=owner_reference(job, JOBS),
    )
    labels = pod["metadata"]["labels"]
    for prefix in (f"{_PREFIX}/", ""):
        labels[f"{prefix}controller-uid"] = meta["uid"]
        labels[f"{prefix}job-name"] = meta["name"]
    if index is not None:
        labels[COMPLETION_INDEX] = pod["metadata"]["annotations"][COMPLETION_INDEX] = str(index)
        pod["spec"]["hostname"] = base
        pod["spec"] = _with_index(pod["spec"])
    return pod


def _with_index(spec: JSON) -> JSON:
    spec = copy.deepcopy(spec)
    field = {"fieldRef": {"fieldPath": f"metadata.annotations['{COMPLETION_INDEX}']"}}
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        env = container.setdefault("env", [])
        if all(entry["name"] != "JOB_COMPLETION_INDEX" for entry in env):
            env.append({"name": "JOB_COMPLETION_INDEX", "valueFrom": field})
    return spec

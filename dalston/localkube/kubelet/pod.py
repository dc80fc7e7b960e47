"""One pod: prepares it, runs its containers, writes its status, ends it, deletes its object when asked."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Any

from dalston.kube import ApiError, ApiUnavailable, KubeClient, NotFound
from dalston.kube.kinds import PODS
from dalston.localkube.controllers.conditions import merge_patch
from dalston.localkube.controllers.times import seconds_of
from dalston.localkube.kubelet.container import Container
from dalston.localkube.kubelet.context import PodContext
from dalston.localkube.kubelet.environment import ConfigError
from dalston.localkube.kubelet.status import PodView, pod_address, status_of
from dalston.localkube.kubelet.volumes import prepare_volumes

JSON = dict[str, Any]
logger = logging.getLogger(__name__)

_WRITE_RETRY = 0.5


class Pod:
    """Runs one pod to its end; `run` is the task of its life."""

    def __init__(self, client: KubeClient, context: PodContext) -> None:
        self._client = client
        self._context = context
        context.changed = self._changed
        spec = context.pod["spec"]
        self._inits = [
            Container(context, entry, init=True) for entry in spec.get("initContainers") or ()
        ]
        self._apps = [Container(context, entry, init=False) for entry in spec["containers"]]
        self._node_start = time.time()
        self._written: JSON = context.pod.get("status") or {}
        self._dirty = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = False
        self._gone = False
        self._reason = self._message = self._disruption = ""

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return self._context.folder

    @property
    def containers(self) -> list[Container]:
        """Init containers first."""
        return [*self._inits, *self._apps]

    async def run(self) -> None:
        """Run to the end; the status is written and, if asked for, the object deleted."""
        publisher = asyncio.create_task(self._publish_changes())
        deadline = asyncio.create_task(self._watch_deadline())
        try:
            self.update(self._context.pod)
            await self._live()
        except asyncio.CancelledError:
            for container in self.containers:
                container.cancel_timers()
            raise
        finally:
            for task in (publisher, deadline):
                task.cancel()
            await asyncio.gather(publisher, deadline, return_exceptions=True)
        self._ended = True
        await self._conclude()

    def update(self, pod: JSON) -> None:
        """Take in a newer version of the object; begins or hastens its end when it is deleted."""
        if int(pod["metadata"]["resourceVersion"]) < int(
            self._context.pod["metadata"]["resourceVersion"]
        ):
            return
        self._context.pod = pod
        meta = pod["metadata"]
        if "deletionTimestamp" in meta:
            left = (seconds_of(meta["deletionTimestamp"]) or 0.0) - time.time()
            # Whole seconds: never less than was asked for, but for a short one.
            self.stop(max(min(left + 1, meta.get("deletionGracePeriodSeconds", 30)), 0.0))

    def stop(self, grace: float) -> None:
        """End all containers: SIGTERM, and SIGKILL after `grace` seconds."""
        self._stopping.set()
        for container in self.containers:
            container.stop(grace)

    def fail(self, reason: str, message: str, *, grace: float, disruption: str = "") -> None:
        """End it as failed. `disruption` is the reason of its DisruptionTarget condition."""
        self._reason, self._message, self._disruption = reason, message, disruption
        self.stop(grace)

    def forget(self) -> None:
        """The object is gone: end everything at once."""
        self._gone = True
        self.stop(0.0)

    async def _live(self) -> None:
        await self._prepare()
        for container in self._inits:
            end = await container.run_to_end()
            if end is None or end.code != 0 or self._stopping.is_set():
                return
        if not self._stopping.is_set() or any(c.run for c in self._apps) or not self._inits:
            await asyncio.gather(*(container.run_to_end() for container in self._apps))

    async def _prepare(self) -> None:
        """Make the volumes, as soon as all they need is there."""
        while not self._stopping.is_set():
            try:
                self._context.volumes = await prepare_volumes(
                    self._context.pod, self.folder / "volumes", lookup=self._context.lookup
                )
            except ConfigError as error:
                self._context.recorder.warning(self._context.pod, "FailedMount", str(error))
                for container in self.containers:
                    container.wait_for("CreateContainerConfigError", str(error))
            else:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._context.settings.config_retry_seconds):
                    await self._stopping.wait()

    async def _watch_deadline(self) -> None:
        seconds = self._context.pod["spec"].get("activeDeadlineSeconds")
        if seconds is None:
            return
        began = seconds_of(self._written.get("startTime")) or self._node_start
        await asyncio.sleep(max(0.0, began + float(seconds) - time.time()))
        message = "Pod was active on the node longer than the specified deadline"
        self.fail("DeadlineExceeded", message, grace=self._context.grace)

    def _changed(self) -> None:
        self._dirty.set()

    async def _publish_changes(self) -> None:
        self._dirty.set()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._publish()
            except (ApiError, ApiUnavailable) as error:
                logger.warning("status of %s not written: %s", self._name, error)
                await asyncio.sleep(_WRITE_RETRY)
                self._dirty.set()

    async def _publish(self) -> None:
        if self._gone:
            return
        pod = self._context.pod
        status = status_of(self._view(), pod.get("status") or {}, now=time.time())
        patch = merge_patch(self._written, status)
        if not patch:
            return
        meta = pod["metadata"]
        body = {"metadata": {"uid": meta["uid"]}, "status": patch}
        try:
            written = await self._client.patch(
                PODS, meta["name"], body, namespace=meta["namespace"], sub="status"
            )
        except NotFound:
            self._gone = True
            return
        self._written = status
        self.update(written)

    def _view(self) -> PodView:
        return PodView(
            address=pod_address(self._context.pod),
            inits=[container.view() for container in self._inits],
            containers=[container.view() for container in self._apps],
            restart_policy=self._context.restart_policy,
            ended=self._ended,
            reason=self._reason,
            message=self._message,
            disruption=self._disruption,
            node_start=self._node_start,
        )

    async def _conclude(self) -> None:
        """Write the last status; then delete the object, if that is what it waits for."""
        while not self._gone:
            try:
                await self._publish()
                if "deletionTimestamp" in self._context.pod["metadata"]:
                    await remove_object(self._client, self._context.pod)
                return
            except (ApiError, ApiUnavailable) as error:
                logger.warning("end of %s not written: %s", self._name, error)
                await asyncio.sleep(_WRITE_RETRY)

    @property
    def _name(self) -> str:
        meta = self._context.pod["metadata"]
        return f"{meta['namespace']}/{meta['name']}"


async def remove_object(client: KubeClient, pod: JSON) -> None:
    """Delete a pod's object for good, once nothing of it runs."""
    meta = pod["metadata"]
    body = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
    try:
        await client.request("DELETE", PODS.path(meta["namespace"], meta["name"]), body=body)
    except NotFound:
        return

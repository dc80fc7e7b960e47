"""Runs the pods of the node: a `Pod` for each that is bound to it and not over."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from dalston.kube import (
    ApiError,
    ApiUnavailable,
    Informer,
    KubeClient,
    NotFound,
    WatchEvent,
    WatchEventType,
)
from dalston.kube.kinds import CONFIG_MAPS, PODS, SECRETS
from dalston.localkube import errors
from dalston.localkube.controllers.events import EventRecorder
from dalston.localkube.kubelet import logs, node, proc
from dalston.localkube.kubelet.container import Container
from dalston.localkube.kubelet.context import PodContext
from dalston.localkube.kubelet.environment import Lookup, machine_environment
from dalston.localkube.kubelet.images import Images
from dalston.localkube.kubelet.pod import Pod, remove_object
from dalston.localkube.kubelet.process import end_strays
from dalston.localkube.kubelet.runs import Runs
from dalston.localkube.kubelet.settings import KubeletSettings
from dalston.localkube.subresources import LogRequest

JSON = dict[str, Any]
logger = logging.getLogger(__name__)

_OVER = ("Succeeded", "Failed")
_TAKE_AGAIN = 5.0


class Kubelet:
    """The node's agent; pods lie under `folder`."""

    def __init__(self, client: KubeClient, *, folder: Path, settings: KubeletSettings) -> None:
        self._client = client
        self._folder = folder / "pods"
        self._settings = settings
        self._images = Images(settings.images or folder / "images.json")
        self._recorder = EventRecorder(client, component="kubelet")
        self._base = machine_environment()
        self._pods: dict[str, tuple[Pod, asyncio.Task[None]]] = {}
        self._chores: set[asyncio.Task[None]] = set()
        self._swept = False
        self._informer: Informer[JSON] = Informer(
            client, PODS, project=lambda item: item, on_event=self._observe
        )

    async def run(self) -> None:
        """Run pods until cancelled; then end them in order, or leave them running (`keep_pods`).

        An error leaves them running as well: the next kubelet adopts them.
        """
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout) as self._http:
            try:
                await self._serve()
            except asyncio.CancelledError:
                await self._leave(keep=self._settings.keep_pods)
                raise
            except BaseException:
                await self._leave(keep=True)
                raise

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recorder.run())
            group.create_task(self._informer.run())
            await self._informer.synced.wait()
            await node.register(self._client, self._settings)
            folders = await asyncio.to_thread(self._folders)
            phases = {
                pod["metadata"]["uid"]: (pod.get("status") or {}).get("phase")
                for pod in self._informer.cache.values()
            }
            self._swept = True
            await asyncio.to_thread(_clean_up, folders, phases)
            for pod in list(self._informer.cache.values()):
                self._take(pod)
            group.create_task(self._sample())

    async def read_log(self, request: LogRequest) -> AsyncIterator[bytes]:
        """The lines of a container's log. Raises errors.ApiError."""
        if request.timestamps or request.since_seconds or request.since_time:
            raise errors.bad_request("timestamps and since: logs are kept without times")
        pod = self._informer.get(request.namespace, request.pod)
        if pod is None:
            raise errors.not_found(errors.GroupResource("", "pods"), request.pod)
        folder = self._folder / pod["metadata"]["uid"] / "containers" / request.container
        runs = Runs(folder)
        numbers = await asyncio.to_thread(runs.numbers)
        wanted = numbers[-2:-1] if request.previous else numbers[-1:]
        if not wanted:
            raise errors.bad_request(_no_log(pod, request))
        async for chunk in logs.read(
            runs.run(wanted[0]),
            follow=request.follow and not request.previous,
            tail=request.tail,
            limit_bytes=request.limit_bytes,
        ):
            yield chunk

    def _observe(self, event: WatchEvent[JSON]) -> None:
        if not self._swept:
            return
        if event.type is WatchEventType.DELETED:
            self._drop(event.object)
        else:
            self._take(event.object)

    def _take(self, pod: JSON) -> None:
        """Start a pod, or tell the one that runs of its new version."""
        uid = pod["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid][0].update(pod)
        elif pod["spec"].get("nodeName") != self._settings.node_name:
            return
        elif (pod.get("status") or {}).get("phase") not in _OVER:
            self._start(pod)
        elif "deletionTimestamp" in pod["metadata"]:
            self._chore(remove_object(self._client, pod), f"deletion of {uid}")

    def _start(self, pod: JSON) -> None:
        uid = pod["metadata"]["uid"]
        context = PodContext(
            pod=pod,
            folder=self._folder / uid,
            settings=self._settings,
            images=self._images,
            lookup=self._lookup(pod["metadata"]["namespace"]),
            recorder=self._recorder,
            http=self._http,
            changed=_nothing,
            base=self._base,
        )
        runner = Pod(self._client, context)
        task = asyncio.create_task(self._live(uid, runner), name=f"pod {uid}")
        self._pods[uid] = (runner, task)

    async def _live(self, uid: str, runner: Pod) -> None:
        try:
            await runner.run()
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("pod %s failed; taking it up again", uid)
            asyncio.get_running_loop().call_later(_TAKE_AGAIN, self._take_again, uid)
            return
        finally:
            self._pods.pop(uid, None)
        # Its object may have gone before it: then nobody else removes the folder.
        known = {pod["metadata"]["uid"] for pod in self._informer.cache.values()}
        if uid not in known:
            await asyncio.to_thread(shutil.rmtree, runner.folder, ignore_errors=True)

    def _take_again(self, uid: str) -> None:
        for pod in list(self._informer.cache.values()):
            if pod["metadata"]["uid"] == uid:
                self._take(pod)

    def _drop(self, pod: JSON) -> None:
        """The object is gone: end what runs, remove what lies there."""
        uid = pod["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid][0].forget()
        elif (self._folder / uid).exists():
            self._chore(asyncio.to_thread(_discard, self._folder / uid), f"removal of {uid}")

    def _chore(self, work: Any, name: str) -> None:
        async def run() -> None:
            try:
                await work
            except (ApiError, ApiUnavailable, OSError) as error:
                logger.warning("%s: %s", name, error)

        task = asyncio.create_task(run(), name=name)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def _lookup(self, namespace: str) -> Lookup:
        kinds = {"secret": SECRETS, "configmap": CONFIG_MAPS}

        async def read(kind: str, name: str) -> JSON | None:
            try:
                return await self._client.get(kinds[kind], name, namespace=namespace)
            except NotFound:
                return None

        return read

    def _folders(self) -> list[Path]:
        """The folders that earlier kubelets left; ends processes whose shell is gone; blocks."""
        self._folder.mkdir(parents=True, exist_ok=True)
        strays = end_strays(self._folder)
        if strays:
            logger.warning("ended %d processes that nobody watched", strays)
        return list(self._folder.iterdir())

    async def _sample(self) -> None:
        """Look at memory and logs, again and again."""
        while True:
            await asyncio.sleep(self._settings.sample_seconds)
            running = [
                container
                for runner, _ in self._pods.values()
                for container in runner.containers
                if container.goes_on
            ]
            if not running:
                continue
            try:
                await asyncio.to_thread(self._look, running)
            except OSError as error:
                logger.warning("cannot look at memory and logs: %s", error)

    def _look(self, containers: list[Container]) -> None:
        limited = [container for container in containers if container.memory_limit]
        processes = proc.table() if limited else {}
        for container in limited:
            limit, run = container.memory_limit or 0, container.run
            members = run.members(processes) if run else []
            if proc.memory_of(members, limit=limit) > limit:
                container.kill_for_memory()
        for container in containers:
            if container.run is not None:
                logs.rotate(container.run.log, limit=self._settings.max_log_bytes)

    async def _leave(self, *, keep: bool) -> None:
        """End the pods in order, or leave them to the next kubelet."""
        if not self._swept and not keep:
            await self._take_late()
        running = list(self._pods.values())
        if keep:
            for _, task in running:
                task.cancel()
        else:
            message = "Pod was terminated in response to imminent node shutdown."
            for runner, _ in running:
                runner.fail(
                    "Terminated",
                    message,
                    grace=self._settings.stop_seconds,
                    disruption="TerminationByKubelet",
                )
        tasks = [task for _, task in running]
        await asyncio.gather(*tasks, *self._chores, return_exceptions=True)
        await self._recorder.flush()

    async def _take_late(self) -> None:
        """A stop came before the pods of an earlier kubelet were adopted: they must end too."""
        try:
            pods, _ = await self._client.list(PODS)
        except (ApiError, ApiUnavailable) as error:
            logger.warning("cannot end the pods in order: %s", error)
            for folder in await asyncio.to_thread(lambda: list(self._folder.glob("*"))):
                await asyncio.to_thread(_end_runs, folder)
            return
        for pod in pods:
            self._take(pod)


def _clean_up(folders: list[Path], phases: dict[str, str | None]) -> None:
    """End what runs of pods that are over or have no object, and remove the latter's folders; blocks."""
    for folder in folders:
        if folder.name not in phases:
            _discard(folder)
        elif phases[folder.name] in _OVER:
            _end_runs(folder)


def _end_runs(folder: Path) -> None:
    for container in (folder / "containers").glob("*"):
        runs = Runs(container)
        for number in runs.numbers():
            runs.run(number).kill_now()


def _discard(folder: Path) -> None:
    _end_runs(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _no_log(pod: JSON, request: LogRequest) -> str:
    place = f'container "{request.container}" in pod "{request.pod}"'
    if request.previous:
        return f"previous terminated {place} not found"
    status = pod.get("status") or {}
    entries = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    for entry in entries:
        if entry["name"] == request.container:
            reason = (entry["state"].get("waiting") or {}).get("reason", "ContainerCreating")
            return f"{place} is waiting to start: {reason}"
    return f"{place} is waiting to start: ContainerCreating"


def _nothing() -> None:
    return None

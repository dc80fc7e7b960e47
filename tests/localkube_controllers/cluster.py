"""A control plane that runs pods, and how tests speak to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dalston.kube import Kind, KubeClient, NotFound
from dalston.kube.kinds import JOBS, PODS
from dalston.localkube import LocalKube, controllers, kubelet
from dalston.localkube.controllers import ControllerSettings
from dalston.localkube.controllers.connection import connect
from dalston.localkube.kubelet import KubeletSettings

JSON = dict[str, Any]

SHELL = "test/shell:1"
PYTHON = "test/python:1"
IMAGES = [
    {"image": SHELL, "command": ["sh", "-c"], "env": {"FROM_IMAGE": "yes"}},
    {"image": PYTHON, "command": [sys.executable, "-S", "-c"]},
]


@dataclass
class Cluster:
    """A running control plane and a client of it."""

    client: KubeClient
    folder: Path
    kube: LocalKube | None = None
    """Absent when it runs in a process of its own."""

    async def create(self, kind: Kind, body: JSON) -> JSON:
        """Create in the default namespace."""
        return await self.client.create(kind, body, namespace="default")

    async def get(self, kind: Kind, name: str) -> JSON:
        """Read from the default namespace."""
        return await self.client.get(kind, name, namespace="default")

    async def patch(self, kind: Kind, name: str, body: JSON) -> JSON:
        """Merge-patch in the default namespace."""
        return await self.client.patch(kind, name, body, namespace="default")

    async def delete(self, kind: Kind, name: str) -> None:
        """Delete from the default namespace."""
        await self.client.delete(kind, name, namespace="default")

    async def all(self, kind: Kind, labels: str | None = None) -> list[JSON]:
        """All objects of a kind in the default namespace."""
        items, _ = await self.client.list(kind, namespace="default", labels=labels)
        return items

    async def until(
        self, kind: Kind, test: Callable[[list[JSON]], Any], *, seconds: float = 10.0
    ) -> list[JSON]:
        """Watch a kind until `test` holds for the list of its objects; gives the list."""
        seen: dict[str, JSON] = {}
        try:
            async with asyncio.timeout(seconds):
                items, version = await self.client.list(kind, namespace="default")
                seen.update({item["metadata"]["name"]: item for item in items})
                if test(list(seen.values())):
                    return list(seen.values())
                watch = self.client.watch(kind, namespace="default", since=version)
                async for type, item in watch:
                    if type == "DELETED":
                        seen.pop(item["metadata"]["name"], None)
                    elif type != "BOOKMARK":
                        seen[item["metadata"]["name"]] = item
                    if test(list(seen.values())):
                        return list(seen.values())
        except TimeoutError:
            statuses = json.dumps([item.get("status") for item in seen.values()], indent=1)
            raise AssertionError(f"{kind.plural} not so within {seconds} s: {statuses}") from None
        raise AssertionError(f"the watch of {kind.plural} ended")

    async def one(
        self, kind: Kind, name: str, test: Callable[[JSON], Any], *, seconds: float = 10.0
    ) -> JSON:
        """Watch one object until `test` holds for it."""

        def holds(items: list[JSON]) -> bool:
            return any(item["metadata"]["name"] == name and test(item) for item in items)

        items = await self.until(kind, holds, seconds=seconds)
        return next(item for item in items if item["metadata"]["name"] == name)

    async def gone(self, kind: Kind, name: str, *, seconds: float = 10.0) -> None:
        """Wait until there is no such object."""
        await self.until(
            kind,
            lambda items: all(item["metadata"]["name"] != name for item in items),
            seconds=seconds,
        )

    async def absent(self, kind: Kind, name: str) -> bool:
        """Whether there is no such object now."""
        try:
            await self.get(kind, name)
        except NotFound:
            return True
        return False

    async def run_job(self, script: str, *, name: str = "job", **spec: Any) -> JSON:
        """Create a Job that runs a shell script."""
        return await self.create(JOBS, job(script, name=name, **spec))

    async def run_pod(self, script: str, *, name: str = "pod", **spec: Any) -> JSON:
        """Create a pod that runs a shell script."""
        return await self.create(PODS, pod(script, name=name, **spec))

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl against the control plane; gives its output."""
        assert self.kube is not None
        config = self.folder / "kubeconfig"
        self.kube.write_kubeconfig(config)
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            f"--kubeconfig={config}",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(15):
            output, _ = await process.communicate()
        return output.decode()


@dataclass(frozen=True)
class Times:
    """Settings of the controllers and the kubelet that keep tests short."""

    controllers: ControllerSettings = field(
        default_factory=lambda: ControllerSettings(job_backoff_seconds=0.2)
    )
    kubelet: KubeletSettings = field(
        default_factory=lambda: KubeletSettings(
            restart_backoff_seconds=0.2,
            config_retry_seconds=0.2,
            sample_seconds=0.1,
            stop_seconds=2.0,
        )
    )


def write_images(folder: Path) -> None:
    """Tell the kubelet of the test images."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images.json").write_text(json.dumps(IMAGES))


@contextlib.asynccontextmanager
async def start_cluster(folder: Path, times: Times | None = None) -> AsyncIterator[Cluster]:
    """Run a control plane with controllers and kubelet in this loop."""
    times = times or Times()
    write_images(folder)
    companions = [
        partial(controllers.run, settings=times.controllers),
        partial(kubelet.run, settings=times.kubelet),
    ]
    async with (
        LocalKube(data_dir=folder, companions=companions) as kube,
        connect(kube.url, kube.token) as client,
    ):
        yield Cluster(client, folder, kube)


def container(script: str, *, image: str = SHELL, name: str = "main", **fields: Any) -> JSON:
    """A container that runs a script."""
    # In a pod's specification `$$` stands for `$`.
    return {"name": name, "image": image, "args": [script.replace("$$", "$$$$")], **fields}


def pod(script: str, *, name: str = "pod", restart: str = "Never", **spec: Any) -> JSON:
    """A pod of one container, whose fields are those of `spec["container"]`."""
    fields = spec.pop("container", {})
    whole = {"restartPolicy": restart, "containers": [container(script, **fields)], **spec}
    return {"metadata": {"name": name}, "spec": whole}


def job(script: str, *, name: str = "job", restart: str = "Never", **spec: Any) -> JSON:
    """A Job of pods of one container."""
    template = {"spec": {"restartPolicy": restart, "containers": [container(script)]}}
    return {"metadata": {"name": name}, "spec": {"template": template, **spec}}


def condition(obj: JSON, type: str) -> JSON | None:
    """The condition of that type, if it holds."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry["type"] == type and entry["status"] == "True":
            found: JSON = entry
            return found
    return None


def ended(obj: JSON) -> bool:
    """Whether a Job or a pod is over."""
    phase = (obj.get("status") or {}).get("phase")
    return bool(condition(obj, "Complete") or condition(obj, "Failed")) or phase in (
        "Succeeded",
        "Failed",
    )


def state(pod: JSON, index: int = 0) -> JSON:
    """The state of a container."""
    entries = (pod.get("status") or {}).get("containerStatuses")
    found: JSON = entries[index]["state"] if entries else {}
    return found


def alive(pid: int) -> bool:
    """Whether there is such a process; one that nobody has waited for yet is none."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False

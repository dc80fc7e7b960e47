"""The one node: this machine."""

from __future__ import annotations

import os
import platform
import re
import socket
import time
from pathlib import Path
from typing import Any

from dalston import __version__
from dalston.kube import AlreadyExists, KubeClient
from dalston.kube.kinds import NODES
from dalston.localkube.controllers.times import stamp
from dalston.localkube.kubelet.settings import KubeletSettings
from dalston.localkube.kubelet.status import ADDRESS

JSON = dict[str, Any]

GPU = "nvidia.com/gpu"


def capacity(settings: KubeletSettings) -> JSON:
    """Processors, memory, pods and GPUs of this machine as quantities."""
    found = {
        "cpu": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 1024}Ki",
        "pods": str(settings.max_pods),
    }
    gpus = sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in os.listdir("/dev"))
    return {**found, GPU: str(gpus)} if gpus else found


def node_of(settings: KubeletSettings) -> JSON:
    """The Node object."""
    now = stamp(time.time())
    have = capacity(settings)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": settings.node_name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
    }
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet runs pods as processes",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {
        "apiVersion": NODES.api_version,
        "kind": NODES.kind,
        "metadata": {"name": settings.node_name, "labels": labels},
        "spec": {},
        "status": {
            "capacity": have,
            "allocatable": have,
            "conditions": [ready],
            "addresses": [
                {"type": "InternalIP", "address": ADDRESS},
                {"type": "Hostname", "address": socket.gethostname()},
            ],
            "nodeInfo": {
                "architecture": machine,
                "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
                "containerRuntimeVersion": f"process://{__version__}",
                "kernelVersion": platform.release(),
                "kubeProxyVersion": "",
                "kubeletVersion": f"v{__version__}",
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": platform.system(),
                "systemUUID": "",
            },
        },
    }


async def register(client: KubeClient, settings: KubeletSettings) -> None:
    """Create the Node object or bring it up to date."""
    node = node_of(settings)
    try:
        await client.create(NODES, node, namespace=None)
    except AlreadyExists:
        body = {"metadata": {"labels": node["metadata"]["labels"]}}
        await client.patch(NODES, settings.node_name, body, namespace=None)
    body = {"status": node["status"]}
    await client.patch(NODES, settings.node_name, body, namespace=None, sub="status")

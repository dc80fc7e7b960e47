"""The embedded kubelet: runs pods as processes on this machine.

What it knows of a pod lies in the pod's folder, so that it may be killed at any instruction: the
processes go on, and the next kubelet adopts them and learns how they ended.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dalston.localkube.controllers.connection import connect
from dalston.localkube.kubelet.kubelet import Kubelet
from dalston.localkube.kubelet.settings import KubeletSettings

if TYPE_CHECKING:
    from dalston.localkube.plane import LocalKube

__all__ = ["Kubelet", "KubeletSettings", "run"]

logger = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0


async def run(kube: LocalKube, settings: KubeletSettings | None = None) -> None:
    """Run the pods of a control plane until cancelled; after an error, start again."""
    settings = settings or KubeletSettings()
    async with connect(kube.url, kube.token) as client:
        while True:
            kubelet = Kubelet(client, folder=kube.data_dir, settings=settings)
            kube.serve_logs(kubelet.read_log)
            try:
                await kubelet.run()
            except Exception:
                logger.exception("the kubelet failed; starting it again")
            await asyncio.sleep(_RESTART_SECONDS)

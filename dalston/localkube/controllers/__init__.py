"""The embedded control plane's controllers: Jobs, Deployments, ReplicaSets, scheduling, surplus Events.

They are clients of the API server over HTTP, as in a cluster. Their state is the API's alone: they may
be killed at any instruction and go on where they were.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dalston.kube import KubeClient
from dalston.kube.kinds import DEPLOYMENTS, JOBS, NODES, PODS, REPLICA_SETS
from dalston.localkube.controllers.connection import connect
from dalston.localkube.controllers.deployments import DeploymentController
from dalston.localkube.controllers.events import EventRecorder, bound_events
from dalston.localkube.controllers.jobs import JobController
from dalston.localkube.controllers.replicasets import ReplicaSetController
from dalston.localkube.controllers.scheduler import Scheduler
from dalston.localkube.controllers.settings import ControllerSettings
from dalston.localkube.controllers.source import Source

if TYPE_CHECKING:
    from dalston.localkube.plane import LocalKube

__all__ = ["ControllerSettings", "run", "run_controllers"]

logger = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0


async def run(kube: LocalKube, settings: ControllerSettings | None = None) -> None:
    """Run all controllers of a control plane until cancelled; after an error, start again."""
    settings = settings or ControllerSettings()
    async with connect(kube.url, kube.token) as client:
        while True:
            try:
                await run_controllers(client, settings)
            except Exception:
                logger.exception("the controllers failed; starting them again")
            await asyncio.sleep(_RESTART_SECONDS)


async def run_controllers(client: KubeClient, settings: ControllerSettings) -> None:
    """Run all controllers as clients of an API server until cancelled."""
    jobs, pods, nodes = Source(client, JOBS), Source(client, PODS), Source(client, NODES)
    deployments, sets = Source(client, DEPLOYMENTS), Source(client, REPLICA_SETS)
    recorders = {
        name: EventRecorder(client, component=name)
        for name in ("job", "replicaset", "deployment", "scheduler")
    }
    job = JobController(client, jobs=jobs, pods=pods, recorder=recorders["job"], settings=settings)
    replica_set = ReplicaSetController(
        client, replica_sets=sets, pods=pods, recorder=recorders["replicaset"], settings=settings
    )
    deployment = DeploymentController(
        client,
        deployments=deployments,
        replica_sets=sets,
        pods=pods,
        recorder=recorders["deployment"],
    )
    scheduler = Scheduler(client, pods=pods, nodes=nodes, recorder=recorders["scheduler"])
    sources = (jobs, pods, nodes, deployments, sets)
    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(source.run())
        for recorder in recorders.values():
            group.create_task(recorder.run())
        # Nothing is decided before everything that exists has been seen.
        for source in sources:
            await source.synced.wait()
        for controller in (job, replica_set, deployment, scheduler):
            group.create_task(controller.queue.run())
        group.create_task(bound_events(client, settings))
        logger.info("controllers run")

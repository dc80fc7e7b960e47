"""The operator with real parts around it: API server, NATS, artifact store, scripted workers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from dalston_operator import handlers
from dalston_operator.__main__ import Settings
from dalston_operator.operator import Operator
from dalston_operator.settings import OperatorSettings

from dalston.artifacts import ArtifactSettings, ArtifactStore, keys
from dalston.bus import Bus, BusSettings, TaskDelivery, subjects
from dalston.kube import JSON, Informer, KubeClient, KubeSettings, NotFound, WatchEvent
from dalston.kube.kinds import (
    CUSTOM_RESOURCE_DEFINITIONS,
    ENGINES,
    JOBS,
    TRANSCRIPTION_JOBS,
)
from dalston.localkube import LocalKube
from dalston.pipeline import (
    EventType,
    Manifest,
    StageSummary,
    TaskEvent,
    TaskRequest,
)
from dalston.resources import GROUP, VERSION, JobPhase, Stage, StageStatus, TranscriptionJob
from dalston.resources.transcription_status import FINISHED_PHASES
from tests.deadlines import until
from tests.nats_server import NatsServer
from tests.resources.examples import URL

NAMESPACE = "default"
LANES = ["high", "normal", "low"]
Script = Callable[["Worker", TaskDelivery], Awaitable[None]]


async def succeed(worker: "Worker", delivery: TaskDelivery) -> None:
    """Do as a good worker does: manifest, event, ack."""
    request = delivery.request
    await worker.tell(request, EventType.STARTED)
    await worker.store_result(request)
    await worker.tell(request, EventType.SUCCEEDED, summary=summary_of(request))
    await delivery.ack()


def summary_of(request: TaskRequest) -> StageSummary:
    """What a stage of a short recording answers."""
    if request.stage == Stage.PREPARE:
        return StageSummary(duration_seconds=11.0, parts=(11.0,))
    if request.stage == Stage.MERGE:
        transcript = f"{keys.job_folder(request.job)}/transcript.json"
        return StageSummary(transcript=transcript, language="en", words=22)
    return StageSummary()


@dataclass
class Worker:
    """A scripted worker of one engine; `done` are the tasks that it was given."""

    bus: Bus
    store: ArtifactStore
    engine: str
    lanes: list[str]
    script: Script
    done: list[TaskRequest] = field(default_factory=list)

    async def run(self) -> None:
        """Work until cancelled."""
        async with self.bus.tasks(self.engine, self.lanes) as queue:
            while True:
                delivery = await queue.next(timeout=60)
                if delivery is not None:
                    self.done.append(delivery.request)
                    await self.script(self, delivery)

    async def tell(self, request: TaskRequest, type: EventType, **fields: Any) -> None:
        """Publish an event of a task."""
        id = request.id
        event = TaskEvent(
            type=type,
            job=id.job,
            stage=id.stage,
            part=id.part,
            attempt=id.attempt,
            worker="scripted",
            at=datetime.now(UTC),
            **fields,
        )
        await self.bus.publish_event(event)

    async def store_result(self, request: TaskRequest) -> None:
        """Write the manifest, if there is none."""
        manifest = Manifest(
            task=str(request.id),
            engine=self.engine,
            worker="scripted",
            folder=keys.result_folder(request.id, 1),
            result={},
            summary=summary_of(request),
            finished_at=datetime.now(UTC),
        )
        await self.store.create(keys.manifest(request.id), manifest.model_dump_json().encode())


class Rig:
    """Everything around the operator; times are short."""

    def __init__(
        self, kube: LocalKube, nats: NatsServer, client: KubeClient, bus: Bus, folder: Path
    ) -> None:
        self.kube = kube
        self.nats = nats
        self.folder = folder
        self.client = client
        self.bus = bus
        self.artifacts = ArtifactSettings(url=f"file://{folder}/artifacts")
        self.store = ArtifactStore.open(self.artifacts)
        self._tasks: list[asyncio.Task[Any]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._processes: list[OperatorProcess] = []

    # The operator.

    def settings(self, **changes: Any) -> Settings:
        """Settings of an operator in a hurry."""
        values: dict[str, Any] = {
            "probe_port": 0,
            "metrics_port": 0,
            "status_interval": 0.2,
            "recheck_interval": 60.0,
            "retry_backoff": 0.05,
            "engine_interval": 0.3,
            "sweep_interval": 60.0,
            "lease_duration": 1.0,
        }
        operator = OperatorSettings(**{**values, **changes})
        return Settings(operator, self.client.settings, self.bus.settings, self.artifacts)

    async def start_operator(self, **changes: Any) -> "RunningOperator":
        """Start one in this process; its handlers are fed by informers instead of kopf.

        kopf takes every task of the event loop for its own when it stops; the tests of the process
        have it.
        """
        settings = self.settings(**changes)
        operator = Operator(
            self.client,
            self.bus,
            self.store,
            settings=settings.operator,
            environment=settings.worker_environment(),
        )
        running = RunningOperator(operator, asyncio.create_task(_run(operator, self.client)))
        self._tasks.append(running.task)
        await until(lambda: running.ready or running.task.done(), what="the operator to start")
        return running

    def start_process(self, **changes: Any) -> "OperatorProcess":
        """Start one as a process."""
        process = OperatorProcess(self.settings(**changes), self.folder)
        self._processes.append(process)
        return process

    def free_ports(self, *settings: str) -> dict[str, int]:
        """Free ports for those settings."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in settings]
        ports = [listening.getsockname()[1] for listening in sockets]
        for listening in sockets:
            listening.close()
        return dict(zip(settings, ports, strict=True))

    async def close(self) -> None:
        """End what was started."""
        for process in self._processes:
            process.kill()
        tasks = [*self._tasks, *self._workers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Workers.

    def work(
        self, engine: str, script: Script = succeed, *, lanes: list[str] | None = None
    ) -> Worker:
        """Start a scripted worker of an engine."""
        worker = Worker(self.bus, self.store, engine, lanes or LANES, script)
        self._workers.append(asyncio.create_task(worker.run()))
        return worker

    def work_everything(self, **scripts: Script) -> dict[Stage, Worker]:
        """Start a worker for each stage; scripts by stage, `succeed` for all others."""
        return {stage: self.work(f"any-{stage}", scripts.get(stage, succeed)) for stage in Stage}

    def stop_workers(self) -> None:
        """End all scripted workers."""
        for task in self._workers:
            task.cancel()

    # Objects.

    async def change_engine(self, name: str, **spec: Any) -> None:
        """Patch the spec of an Engine."""
        await self.client.patch(ENGINES, name, {"spec": spec}, namespace=NAMESPACE)

    async def create_engine(self, name: str, *stages: Stage, **spec: Any) -> JSON:
        """Create an Engine."""
        body = {
            "apiVersion": ENGINES.api_version,
            "kind": "Engine",
            "metadata": {"name": name},
            "spec": {"stages": [*stages], "image": "example/engine:1", **spec},
        }
        return await self.client.create(ENGINES, body, namespace=NAMESPACE)

    async def create_engines(self) -> None:
        """Create an engine for each stage, with no workers of their own."""
        able = {
            Stage.TRANSCRIBE: {"wordTimestamps": True},
            Stage.DIARIZE: {"diarization": True},
            Stage.DETECT: {"audioEvents": True},
        }
        for stage in Stage:
            await self.create_engine(f"any-{stage}", stage, capabilities=able.get(stage, {}))

    async def create_job(self, name: str, *, source: JSON | None = None, **spec: Any) -> str:
        """Create a TranscriptionJob; gives its uid."""
        body = {
            "apiVersion": TRANSCRIPTION_JOBS.api_version,
            "kind": "TranscriptionJob",
            "metadata": {"name": name},
            "spec": {"source": source or URL, **spec},
        }
        made = await self.client.create(TRANSCRIPTION_JOBS, body, namespace=NAMESPACE)
        return str(made["metadata"]["uid"])

    async def change_job(self, name: str, **spec: Any) -> None:
        """Patch the spec of a job."""
        await self.client.patch(TRANSCRIPTION_JOBS, name, {"spec": spec}, namespace=NAMESPACE)

    async def job(self, name: str) -> TranscriptionJob | None:
        """Read a job; None when it is gone."""
        try:
            item = await self.client.get(TRANSCRIPTION_JOBS, name, namespace=NAMESPACE)
        except NotFound:
            return None
        return TranscriptionJob.model_validate(item)

    async def stage(self, name: str, stage: Stage) -> StageStatus | None:
        """Read a stage of a job."""
        job = await self.job(name)
        stages = job.status.stages if job else []
        return next((status for status in stages if status.name == stage), None)

    async def worker_jobs(self) -> dict[str, JSON]:
        """All batch/v1 Jobs by name."""
        items, _ = await self.client.list(JOBS, namespace=NAMESPACE)
        return {item["metadata"]["name"]: item for item in items}

    async def end_worker_job(self, name: str, condition: str, **fields: Any) -> None:
        """Do as the Job controller does when a Job has ended: `Complete` or `Failed`."""
        ended = {
            "type": condition,
            "status": "True",
            "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **fields,
        }
        body = {"status": {"conditions": [ended]}}
        await self.client.patch(JOBS, name, body, namespace=NAMESPACE, sub="status")

    # Waiting.

    async def ends(
        self, name: str, phase: JobPhase = JobPhase.SUCCEEDED, *, seconds: float = 10.0
    ) -> TranscriptionJob:
        """Wait until a job has finished, in that phase."""

        async def finished() -> bool:
            job = await self.job(name)
            return job is not None and job.status.phase in FINISHED_PHASES

        look: Callable[[], Awaitable[bool]] = finished
        await until(look, seconds=seconds, what=f"job {name} to finish")
        job = await self.job(name)
        assert job is not None
        assert job.status.phase == phase, job.status
        return job

    async def published(self, uid: str, *, seconds: float = 5.0) -> int:
        """Wait until the queue holds a task of a job; gives its sequence in the stream."""

        async def last() -> int:
            info = await self.bus.js.stream_info(
                subjects.TASKS, subjects_filter=subjects.tasks_of_job(uid)
            )
            held = info.state.subjects or {}
            if not held:
                return 0
            message = await self.bus.js.get_last_msg(subjects.TASKS, next(iter(held)))
            return message.seq or 0

        return await until(last, seconds=seconds, what=f"a task of {uid}")

    async def queued(self, stream: str, filter: str) -> int:
        """Count the messages of a stream under a subject filter."""
        info = await self.bus.js.stream_info(stream, subjects_filter=filter)
        return sum((info.state.subjects or {}).values())


@dataclass
class RunningOperator:
    """An operator in this process."""

    operator: Operator
    task: "asyncio.Task[None]"

    @property
    def ready(self) -> bool:
        """Whether it knows the jobs and workers that there are."""
        retention, engines = self.operator.retention, self.operator.engines
        return retention.jobs.synced.is_set() and engines.jobs.synced.is_set()

    async def crash(self) -> None:
        """End it at once, whatever it is doing."""
        self.task.cancel()
        await asyncio.wait([self.task])


async def _run(operator: Operator, client: KubeClient) -> None:
    selectors = handlers.settings().watching.field_selectors
    unfinished = selectors[GROUP, VERSION, TRANSCRIPTION_JOBS.plural]

    def job_changed(event: WatchEvent[JSON]) -> None:
        operator.job_seen(event.type, event.object)

    def engine_changed(event: WatchEvent[JSON]) -> None:
        group.create_task(operator.engine_seen(event.type, event.object))

    async with asyncio.TaskGroup() as group:
        group.create_task(operator.run())
        for kind, callback, fields in (
            (ENGINES, engine_changed, None),
            (TRANSCRIPTION_JOBS, job_changed, unfinished),
        ):
            watch: Informer[JSON] = Informer(
                client, kind, project=dict, on_event=callback, fields=fields
            )
            group.create_task(watch.run())


class OperatorProcess:
    """An operator in a process of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings.operator
        self._log = folder / f"operator-{settings.operator.identity}.log"
        changed = settings.operator.model_dump(exclude_unset=True)
        environment = {
            "DALSTON_KUBE_CONFIG": str(settings.kube.config),
            "DALSTON_NATS_URL": settings.bus.url,
            "DALSTON_NATS_ACK_WAIT": str(settings.bus.ack_wait),
            "DALSTON_NATS_MAX_DELIVER": str(settings.bus.max_deliver),
            "DALSTON_ARTIFACTS_URL": settings.artifacts.url,
            **{f"DALSTON_OPERATOR_{name.upper()}": str(value) for name, value in changed.items()},
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dalston_operator"],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop it where it is."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """End it as Kubernetes would."""
        self._process.terminate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text()


_CRDS = [yaml.safe_load(path.read_text()) for path in sorted(Path("crds").glob("*.yaml"))]


async def open_rig(folder: Path, kube: LocalKube, nats: NatsServer) -> Rig:
    """Connect to the servers and install the custom resources."""
    kubeconfig = folder / "kubeconfig"
    kube.write_kubeconfig(kubeconfig)
    client = await KubeClient.connect(KubeSettings(config=kubeconfig))
    for definition in _CRDS:
        await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition, namespace=None)
    settings = BusSettings(url=nats.url, ack_wait=1.0, max_deliver=2, request_timeout=2.0)
    bus = await Bus.connect(settings, name="test")
    await bus.ensure_streams()
    return Rig(kube, nats, client, bus, folder)

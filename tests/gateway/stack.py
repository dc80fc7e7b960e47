"""A gateway on a free port over a real control plane, NATS and store, and somebody who plays the operator."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from dalston_gateway.app import create_app
from dalston_gateway.keys import SECRET_NAME
from dalston_gateway.server import GatewayServer
from dalston_gateway.services import Services, running
from dalston_gateway.settings import GatewaySettings

from dalston.artifacts import ArtifactSettings, ArtifactStore, keys
from dalston.bus import BusSettings
from dalston.kube import Informer, KubeClient, KubeSettings, NotFound, WatchEvent, WatchEventType
from dalston.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, ENGINES, SECRETS, TRANSCRIPTION_JOBS
from dalston.localkube import LocalKube
from dalston.resources import TranscriptionJob
from dalston.resources.generate import custom_resource_definition
from dalston.resources.kinds import CUSTOM_KINDS
from dalston.transcripts import Segment, Transcript, Word
from tests.deadlines import until

JSON = dict[str, Any]

SAID = Transcript(
    language="en",
    language_probability=0.98,
    duration=2.0,
    text="Hello, world.",
    segments=(
        Segment(
            start=0.1,
            end=1.0,
            text="Hello, world.",
            avg_logprob=-0.2,
            words=(
                Word(text="Hello,", start=0.1, end=0.5, logprob=-0.1),
                Word(text="world.", start=0.6, end=1.0, logprob=-0.3),
            ),
        ),
    ),
)
"""What the played operator hears in every recording."""


def engine(name: str, stages: list[str], **spec: Any) -> JSON:
    """An Engine object."""
    return {
        "apiVersion": ENGINES.api_version,
        "kind": ENGINES.kind,
        "metadata": {"name": name},
        "spec": {"stages": stages, "image": f"ghcr.io/dalston/{name}:1.0", **spec},
    }


CORE_ENGINES = (
    engine("audio-prepare", ["prepare"]),
    engine(
        "faster-whisper",
        ["transcribe"],
        capabilities={
            "wordTimestamps": True,
            "vocabulary": True,
            "tasks": ["transcribe", "translate"],
            "languages": ["en", "de", "fr"],
        },
        models=[{"name": "base", "default": True}, {"name": "tiny.en", "languages": ["en"]}],
    ),
    engine("final-merger", ["merge"]),
)


@dataclass
class PlayedOperator:
    """Ends every job as told, by its status alone, as the real operator does."""

    kube: KubeClient
    store: ArtifactStore
    transcript: Transcript = SAID
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    failure: JSON | None = None
    phase: str = "Failed"

    def __post_init__(self) -> None:
        self.answering.set()
        self._jobs: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Watch and answer until cancelled."""
        informer = Informer(
            self.kube,
            TRANSCRIPTION_JOBS,
            project=lambda item: (item["metadata"]["uid"], item.get("spec", {}).get("cancel")),
            on_event=self._seen,
            namespace="default",
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(informer.run())
            group.create_task(self._answer())

    def _seen(self, event: WatchEvent[Any]) -> None:
        if event.type != WatchEventType.DELETED:
            self._jobs.put_nowait(event.name)

    async def _answer(self) -> None:
        while True:
            name = await self._jobs.get()
            try:
                item = await self.kube.get(TRANSCRIPTION_JOBS, name, namespace="default")
            except NotFound:
                continue
            job = TranscriptionJob.model_validate(item)
            if job.spec.cancel:
                await self.end(name, phase="Cancelled", failure={"code": "Cancelled"})
                continue
            await self.answering.wait()
            if self.failure is not None:
                await self.end(name, phase=self.phase, failure=self.failure)
            else:
                await self.succeed(job)

    async def succeed(self, job: TranscriptionJob) -> None:
        """Store the transcript and say so."""
        key = f"{keys.job_folder(job.metadata.uid)}/merge/0/0/1/transcript.json"
        await self.store.put(key, self.transcript.model_dump_json().encode())
        summary = {"artifact": key, "language": self.transcript.language, "words": 2}
        await self.end(job.metadata.name, phase="Succeeded", transcript=summary, progress=100)

    async def end(self, name: str, *, phase: str, **status: Any) -> None:
        """Write the final status."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        accepted = {
            "type": "Accepted",
            "status": "True",
            "reason": "Accepted",
            "lastTransitionTime": now[:19] + "Z",
        }
        body = {"phase": phase, "finishedAt": now, "conditions": [accepted], **status}
        try:
            await self.kube.patch(
                TRANSCRIPTION_JOBS, name, {"status": body}, namespace="default", sub="status"
            )
        except NotFound:
            return


@dataclass
class Stack:
    """Everything that runs, and clients of it."""

    url: str
    kube: KubeClient
    store: ArtifactStore
    operator: PlayedOperator
    services: Services
    server: GatewayServer
    http: httpx.AsyncClient
    folder: Path

    async def jobs(self) -> list[TranscriptionJob]:
        """All jobs."""
        items, _ = await self.kube.list(TRANSCRIPTION_JOBS, namespace="default")
        return [TranscriptionJob.model_validate(item) for item in items]

    async def only_job(self) -> TranscriptionJob:
        """The one job that there is."""
        (job,) = await self.jobs()
        return job

    async def appeared(self) -> TranscriptionJob:
        """The one job, once it is there."""
        found: list[TranscriptionJob] = await until(self.jobs, what="a job")
        return found[0]

    async def clear(self) -> None:
        """Remove all jobs and uploads, and let the operator be as at first."""
        self.operator.answering.set()
        self.operator.failure = None
        self.operator.transcript = SAID
        for job in await self.jobs():
            with suppress(NotFound):
                await self.kube.delete(TRANSCRIPTION_JOBS, job.metadata.name, namespace="default")
        with suppress(NotFound):
            await self.kube.delete(SECRETS, SECRET_NAME, namespace="default")
        await until(lambda: not self.services.watch.informer.cache, what="no jobs")
        for folder in ("uploads", "jobs"):
            await self.store.delete_folder(folder)

    def stored_files(self) -> list[str]:
        """Every file below uploads/, temporary ones too."""
        root = self.folder / "artifacts" / "uploads"
        return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


@asynccontextmanager
async def stack(
    folder: Path,
    nats_url: str,
    *,
    settings: Mapping[str, Any] | None = None,
    engines: tuple[JSON, ...] = CORE_ENGINES,
) -> AsyncIterator[Stack]:
    """Start everything."""
    async with LocalKube(data_dir=folder / "kube") as control_plane:
        config = folder / "kubeconfig"
        control_plane.write_kubeconfig(config)
        kube_settings = KubeSettings(config=config)
        artifacts = ArtifactSettings(url=(folder / "artifacts").as_uri())
        async with await KubeClient.connect(kube_settings) as kube:
            await _install(kube, engines)
            chosen = GatewaySettings(**{"port": 0, "shutdown_seconds": 0.2, **(settings or {})})
            played = PlayedOperator(kube, ArtifactStore.open(artifacts))
            app = create_app(
                chosen,
                open_services=lambda settings, metrics: running(
                    settings,
                    metrics=metrics,
                    kube_settings=kube_settings,
                    bus_settings=BusSettings(url=nats_url),
                    artifact_settings=artifacts,
                ),
            )
            server = GatewayServer(app, chosen)
            server.config.loop = "none"
            operator = asyncio.create_task(played.run())
            serving = asyncio.create_task(_serve(server))
            try:
                url = await _address(server, serving)
                services: Services = app.state.services
                for synced in (services.watch.informer.synced, services.engines.informer.synced):
                    await asyncio.wait_for(synced.wait(), 10)
                if chosen.auth_required:
                    await asyncio.wait_for(services.keys.informer.synced.wait(), 10)
                async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                    yield Stack(
                        url=url,
                        kube=kube,
                        store=played.store,
                        operator=played,
                        services=services,
                        server=server,
                        http=http,
                        folder=folder,
                    )
            finally:
                server.should_exit = True
                services_found = getattr(app.state, "services", None)
                if services_found is not None:
                    services_found.stopping.set()
                await asyncio.wait_for(serving, 20)
                operator.cancel()
                await asyncio.gather(operator, return_exceptions=True)


async def _serve(server: GatewayServer) -> None:
    # Signals are the test runner's: `serve()` would take them.
    await server._serve()


async def _address(server: GatewayServer, serving: asyncio.Task[None]) -> str:
    while not server.started:
        if serving.done():
            await serving
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://127.0.0.1:{port}"


async def _install(kube: KubeClient, engines: tuple[JSON, ...]) -> None:
    for kind in CUSTOM_KINDS:
        definition = custom_resource_definition(kind)
        await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition, namespace=None)
    for each in engines:
        await kube.create(ENGINES, each, namespace="default")

"""Jobs as the dialects use them: create, find, wait, change, delete, and read the transcript."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

from dalston.artifacts import ArtifactNotFound, ArtifactStore, StoreUnavailable
from dalston.kube import (
    JSON,
    AlreadyExists,
    ApiError,
    ApiUnavailable,
    Invalid,
    KubeClient,
    NotFound,
)
from dalston.kube.kinds import TRANSCRIPTION_JOBS
from dalston.resources.meta import MANAGED_BY_LABEL, MANAGER, RETRY_ANNOTATION
from dalston.resources.transcription_job import TranscriptionJob, TranscriptionJobSpec
from dalston.resources.transcription_status import JobPhase
from dalston.transcripts import Transcript
from dalston_gateway.caller import Caller
from dalston_gateway.job_watch import Follower, JobWatch
from dalston_gateway.metrics import Metrics
from dalston_gateway.names import is_name
from dalston_gateway.outcomes import problem_of
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.readiness import known
from dalston_gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)

_PAUSE = 0.5
"""Seconds between two tries to reach an API server that is away; the client has its own before."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to create; `annotations` keep what only the gateway needs to know of it."""

    name: str
    spec: TranscriptionJobSpec
    caller: Caller
    dialect: str
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Created:
    """A job, and whether it is new or was there under that name."""

    job: TranscriptionJob
    new: bool


class Jobs:
    """The jobs of a namespace; every method may raise GatewayProblem."""

    def __init__(
        self,
        *,
        kube: KubeClient,
        store: ArtifactStore,
        watch: JobWatch,
        settings: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        self._kube = kube
        self._namespace = kube.settings.namespace
        self._store = store
        self._watch = watch
        self._settings = settings
        self._metrics = metrics

    async def create(self, new: NewJob) -> Created:
        """Create the job, or give the one that has its name."""
        body = {
            "apiVersion": TRANSCRIPTION_JOBS.api_version,
            "kind": TRANSCRIPTION_JOBS.kind,
            "metadata": {
                "name": new.name,
                "labels": {MANAGED_BY_LABEL: MANAGER, **new.caller.labels},
                "annotations": new.annotations,
            },
            "spec": new.spec.model_dump(
                mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
            ),
        }
        try:
            created = await self._asked(
                lambda: self._kube.create(TRANSCRIPTION_JOBS, body, namespace=self._namespace)
            )
        except AlreadyExists:
            return await self._same(new)
        self._metrics.jobs.labels(new.dialect).inc()
        return Created(TranscriptionJob.model_validate(created), new=True)

    async def _same(self, new: NewJob) -> Created:
        """Give the job that a repeated request made; a request for something else is refused.

        A create whose answer was lost is tried again and finds its own job: that one is new.
        """
        job = await self.get(new.name, new.caller)
        upload = new.spec.source.artifact
        if upload is not None and job.spec.source.artifact == upload:
            return Created(job, new=True)
        if _asked(job.spec) != _asked(new.spec):
            raise GatewayProblem(
                Fault.CONFLICT,
                "the idempotency key was used for a request with other parameters",
                job=job.metadata.name,
            )
        return Created(job, new=False)

    async def get(self, name: str, caller: Caller) -> TranscriptionJob:
        """Read a job; one that is not the caller's is as good as absent."""
        if not is_name(name):
            raise not_found(name)
        try:
            found = await self._asked(
                lambda: self._kube.get(TRANSCRIPTION_JOBS, name, namespace=self._namespace)
            )
        except NotFound as error:
            raise not_found(name) from error
        job = TranscriptionJob.model_validate(found)
        if not caller.sees(job):
            raise not_found(name)
        return job

    async def newest(
        self,
        caller: Caller,
        *,
        limit: int,
        before: tuple[str, str] | None,
        phases: frozenset[JobPhase | None] | None,
    ) -> tuple[list[TranscriptionJob], tuple[str, str] | None]:
        """Read the caller's newest jobs, and the point after which the next ones come.

        A point is (creation time, name), so that jobs which come or go do not shift pages.
        """
        await known(
            self._watch.informer.synced, what="jobs", timeout=self._settings.api_patience_seconds
        )
        points = self._watch.newest(
            limit=limit + 1,
            before=before,
            wanted=lambda view: (
                caller.owns(view.owner) and (phases is None or view.phase in phases)
            ),
        )
        shown = points[:limit]
        read = await asyncio.gather(*(self._find(name, caller) for _, name in shown))
        after = shown[-1] if len(points) > limit else None
        return [job for job in read if job is not None], after

    async def _find(self, name: str, caller: Caller) -> TranscriptionJob | None:
        """Read a job that may be gone by now."""
        try:
            return await self.get(name, caller)
        except GatewayProblem as problem:
            if problem.fault == Fault.NOT_FOUND:
                return None
            raise

    async def patch(self, name: str, body: JSON) -> TranscriptionJob:
        """Merge a patch into a job that the caller was seen to own."""
        try:
            changed = await self._asked(
                lambda: self._kube.patch(TRANSCRIPTION_JOBS, name, body, namespace=self._namespace)
            )
        except NotFound as error:
            raise not_found(name) from error
        return TranscriptionJob.model_validate(changed)

    async def cancel(self, name: str) -> TranscriptionJob:
        """Ask the operator to stop the job for good."""
        return await self.patch(name, {"spec": {"cancel": True}})

    async def retry(self, job: TranscriptionJob) -> TranscriptionJob:
        """Ask the operator to run the failed stages of a finished job again."""
        token = uuid4().hex
        patch: JSON = {"metadata": {"annotations": {RETRY_ANNOTATION: token}}}
        if job.spec.cancel:
            patch["spec"] = {"cancel": False}
        return await self.patch(job.metadata.name, patch)

    async def delete(self, name: str) -> None:
        """Delete a job; the operator removes its recording and its results."""
        try:
            await self._asked(
                lambda: self._kube.delete(TRANSCRIPTION_JOBS, name, namespace=self._namespace)
            )
        except NotFound as error:
            raise not_found(name) from error

    async def finished(self, name: str, caller: Caller, follower: Follower) -> TranscriptionJob:
        """Wait until a job that is followed has ended, and give it.

        The operator may be away: the job waits, and so does this.
        """
        with self._metrics.waiting.track_inprogress():
            while True:
                view = self._watch.view(name)
                if view is not None and view.finished:
                    job = await self.get(name, caller)
                    if job.status.phase is not None and job.status.phase.finished:
                        return job
                if follower.deleted:
                    raise GatewayProblem(Fault.NOT_FOUND, "the job was deleted", job=name)
                if not await follower.changed(timeout=self._settings.recheck_seconds):
                    job = await self.get(name, caller)
                    if job.status.phase is not None and job.status.phase.finished:
                        return job

    async def transcript(self, job: TranscriptionJob) -> bytes:
        """Read the transcript's JSON; raises the problem that a job without one stands for."""
        if job.status.transcript is None or job.status.phase != JobPhase.SUCCEEDED:
            raise problem_of(job)
        try:
            return await self._store.get(job.status.transcript.artifact)
        except ArtifactNotFound as error:
            raise GatewayProblem(
                Fault.NOT_FOUND, "the transcript is not stored any more", job=job.metadata.name
            ) from error
        except StoreUnavailable as error:
            raise GatewayProblem(
                Fault.UNAVAILABLE, "the artifact store cannot be reached", retry_after=2
            ) from error

    async def _asked(self, call: Callable[[], Awaitable[JSON]]) -> JSON:
        """Ask the API server, waiting for one that is away; NotFound and AlreadyExists come through."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._settings.api_patience_seconds
        while True:
            try:
                return await call()
            except (NotFound, AlreadyExists):
                raise
            except ApiUnavailable as error:
                if loop.time() + _PAUSE > give_up:
                    raise _problem(error) from error
                await asyncio.sleep(_PAUSE)
            except ApiError as error:
                raise _problem(error) from error


def parse_transcript(data: bytes) -> Transcript:
    """Read a stored transcript."""
    return Transcript.model_validate_json(data)


def not_found(name: str) -> GatewayProblem:
    """Give the problem of a job that is not there, or not the caller's."""
    shown = name if is_name(name) else name[:64]
    return GatewayProblem(Fault.NOT_FOUND, f"there is no transcription {shown!r}")


def _asked(spec: TranscriptionJobSpec) -> JSON:
    """What a request asked for; the upload has another key each time."""
    asked = spec.model_dump(exclude={"suspend", "cancel", "priority"})
    asked["source"].pop("artifact", None)
    return asked


def _problem(error: ApiError | ApiUnavailable) -> GatewayProblem:
    if isinstance(error, Invalid):
        return GatewayProblem(Fault.INVALID_FIELD, error.message)
    logger.error("the API server failed: %s", error)
    return GatewayProblem(Fault.UNAVAILABLE, "the API server cannot be reached", retry_after=2)

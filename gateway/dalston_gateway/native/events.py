"""Server-sent events: a transcription whenever it has changed, until it has ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from dalston.bus import BusUnavailable
from dalston.pipeline import Progress
from dalston.resources.stages import Stage
from dalston_gateway.auth import Reader
from dalston_gateway.caller import Caller
from dalston_gateway.job_watch import Follower
from dalston_gateway.native.models import show
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.services import Services, services_of

router = APIRouter(prefix="/v1/audio/transcriptions", tags=["transcriptions"])

Told = dict[tuple[Stage, int], Progress]

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/{id}/events",
    responses={
        200: {
            "description": "`data` of each event is the transcription as JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def events(request: Request, caller: Reader, id: str) -> StreamingResponse:
    """Follow a transcription: an event now, after each change, and as running stages progress.

    The stream ends after the event with the final status; one named `deleted` ends it when the
    transcription was deleted.
    """
    services = services_of(request)
    job = await services.jobs.get(id, caller)
    stream = _events(services, id, job.metadata.uid, caller)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _events(services: Services, name: str, uid: str, caller: Caller) -> AsyncIterator[str]:
    told: Told = {}
    pause = services.settings.event_interval_seconds
    silence = services.settings.event_keepalive_seconds
    last = ""
    with services.watch.follow(name) as follower:
        async with _progress(services, uid, told, follower):
            while not services.stopping.is_set():
                try:
                    job = await services.jobs.get(name, caller)
                except GatewayProblem as problem:
                    if problem.fault == Fault.NOT_FOUND:
                        yield "event: deleted\ndata: {}\n\n"
                        return
                    job = None
                if job is not None:
                    text = show(job, told).model_dump_json(exclude={"transcript"})
                    if text != last:
                        yield f"event: transcription\ndata: {text}\n\n"
                        last = text
                    if job.status.phase is not None and job.status.phase.finished:
                        return
                if not await follower.changed(timeout=silence):
                    yield ": still here\n\n"
                else:
                    await follower.settle(pause)


@asynccontextmanager
async def _progress(
    services: Services, uid: str, told: Told, follower: Follower
) -> AsyncIterator[None]:
    """Collect what running tasks tell; without NATS there are state changes only."""

    def heard(progress: Progress) -> None:
        told[(progress.stage, progress.part)] = progress
        follower.tell(deleted=False)

    bus = services.bus
    if bus is None or not bus.connected:
        yield
        return
    try:
        subscription = await bus.on_progress(uid, heard)
    except BusUnavailable:
        yield
        return
    try:
        yield
    finally:
        await subscription.unsubscribe()

"""A request that waits for its job, and what can end that before the job ends."""

import asyncio
from enum import Enum, auto

from starlette.requests import Request

from dalston.resources.transcription_job import TranscriptionJob
from dalston_gateway.caller import Caller
from dalston_gateway.job_watch import Follower
from dalston_gateway.services import Services


class Unfinished(Enum):
    """Why a request stopped waiting."""

    CLIENT_LEFT = auto()
    TIME_OVER = auto()
    STOPPING = auto()


async def wait_for_end(
    services: Services, request: Request, *, name: str, caller: Caller, follower: Follower
) -> TranscriptionJob | Unfinished:
    """Wait until the job has ended, its client has left, or the gateway wants to end.

    The request's body must have been read. Raises GatewayProblem when the job is deleted.
    """
    ended = asyncio.create_task(services.jobs.finished(name, caller, follower))
    left = asyncio.create_task(_client_left(request))
    stopping = asyncio.create_task(services.stopping.wait())
    tasks = (ended, left, stopping)
    try:
        await asyncio.wait(
            tasks,
            timeout=services.settings.sync_wait_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if ended.done():
            return await ended
        if left.done():
            return Unfinished.CLIENT_LEFT
        return Unfinished.STOPPING if stopping.done() else Unfinished.TIME_OVER
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _client_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

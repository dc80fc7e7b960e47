"""Probes and metrics."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from dalston import __version__
from dalston.artifacts import ArtifactNotFound, StoreUnavailable
from dalston.bus import BusUnavailable
from dalston.kube import ApiError, ApiUnavailable
from dalston_gateway.responses import json_response
from dalston_gateway.services import Services, services_of

router = APIRouter(tags=["health"])

_PROBED_KEY = "uploads/readiness-probe"
_FAILURES = (ApiError, ApiUnavailable, BusUnavailable, StoreUnavailable, TimeoutError)


class Health(BaseModel):
    """Whether the gateway and what it needs work; `ok` or what is wrong, for each."""

    status: Literal["ok", "degraded"]
    version: str
    checks: dict[str, str]


@router.get("/", include_in_schema=False)
async def front() -> RedirectResponse:
    """Lead people to the reference."""
    return RedirectResponse("/docs")


@router.get("/livez", response_class=PlainTextResponse)
async def livez() -> PlainTextResponse:
    """Tell that the event loop runs; asks nobody."""
    return PlainTextResponse("ok")


@router.get("/readyz", responses={503: {"description": "A dependency cannot be reached."}})
async def readyz(request: Request) -> Response:
    """Tell whether requests can be served: API server, NATS and artifact store answer."""
    health = await check(services_of(request))
    return json_response(health.model_dump(), status=200 if health.status == "ok" else 503)


@router.get("/health", response_model=Health)
async def health(request: Request) -> Response:
    """Say how the gateway is, for people; the status is always 200."""
    return json_response((await check(services_of(request))).model_dump())


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Give Prometheus metrics."""
    text = generate_latest(services_of(request).metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def check(services: Services) -> Health:
    """Ask every dependency at once, each with a deadline."""
    limit = services.settings.probe_seconds
    results = await asyncio.gather(
        _asked(_api_server(services), limit),
        _asked(_nats(services), limit),
        _asked(_store(services), limit),
    )
    checks = dict(zip(("kubernetes", "nats", "artifacts"), results, strict=True))
    good = all(result == "ok" for result in results)
    return Health(status="ok" if good else "degraded", version=__version__, checks=checks)


async def _asked(question: Awaitable[None], limit: float) -> str:
    try:
        async with asyncio.timeout(limit):
            await question
    except _FAILURES as error:
        return str(error) or "no answer"
    return "ok"


async def _api_server(services: Services) -> None:
    await services.kube.request("GET", "/readyz")
    informers = [services.watch.informer.synced, services.engines.informer.synced]
    if services.settings.auth_required:
        informers.append(services.keys.informer.synced)
    for synced in informers:
        await synced.wait()


async def _nats(services: Services) -> None:
    if services.bus is None or not services.bus.connected:
        raise BusUnavailable("not connected to NATS")
    await services.bus.ping()


async def _store(services: Services) -> None:
    try:
        await services.store.size(_PROBED_KEY)
    except ArtifactNotFound:
        return

"""The application: routers, errors and middleware put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from dalston import __version__
from dalston_gateway import health
from dalston_gateway.dialects import register_errors
from dalston_gateway.elevenlabs import routes as elevenlabs_routes
from dalston_gateway.metrics import Metrics
from dalston_gateway.native import events, system
from dalston_gateway.native import routes as native_routes
from dalston_gateway.requests import RequestMiddleware
from dalston_gateway.services import Services, running
from dalston_gateway.settings import GatewaySettings

Opener = Callable[[GatewaySettings, Metrics], AbstractAsyncContextManager[Services]]

_SDK_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-Request-Id",
    "xi-api-key",
    *(
        f"X-Fern-{name}"
        for name in (
            "Language",
            "SDK-Name",
            "SDK-Version",
            "Runtime",
            "Platform",
            "Runtime-Version",
        )
    ),
]


def create_app(settings: GatewaySettings, *, open_services: Opener | None = None) -> FastAPI:
    """Give the application; its services start with it and end with it."""
    metrics = Metrics()
    opened = open_services or _open

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, metrics) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Dalston",
        version=__version__,
        description="Self-hosted speech to text: the native API, and the ElevenLabs API.",
        lifespan=lifespan,
    )
    register_errors(app, metrics)
    app.include_router(elevenlabs_routes.router)
    app.include_router(native_routes.router)
    app.include_router(events.router)
    app.include_router(system.router)
    app.include_router(health.router)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=_SDK_HEADERS,
            expose_headers=["request-id", "x-request-id", "Location", "Retry-After"],
        )
    app.add_middleware(RequestMiddleware, settings=settings, metrics=metrics)
    return app


def _open(settings: GatewaySettings, metrics: Metrics) -> AbstractAsyncContextManager[Services]:
    return running(settings, metrics=metrics)

"""What the kubelet and Prometheus ask a worker: /livez, /readyz, /metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import generate_latest

from dalston.engine_sdk.metrics import WorkerMetrics
from dalston.engine_sdk.settings import HealthSettings
from dalston.engine_sdk.worker import Worker

_METRICS_TYPE = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


@asynccontextmanager
async def serve_health(
    worker: Worker, metrics: WorkerMetrics, settings: HealthSettings
) -> AsyncIterator[int | None]:
    """Serve while the context is open; gives the port, None when it is turned off."""
    if settings.port == 0:
        yield None
        return
    from aiohttp import web  # not needed by workers without probes

    async def livez(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        if worker.ready:
            return web.Response(text="ok\n")
        missing = "the connection to NATS" if worker.loaded.is_set() else "the engine"
        return web.Response(text=f"waiting for {missing}\n", status=503)

    async def serve_metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers=_METRICS_TYPE)

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", serve_metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield settings.port
    finally:
        await runner.cleanup()

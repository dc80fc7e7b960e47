"""The state of the whole system: engines with their queues and workers, versions."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from dalston import __version__
from dalston.resources import Engine
from dalston.resources.conditions import find_condition
from dalston.resources.reasons import EngineCondition
from dalston.resources.stages import Stage
from dalston_gateway.auth import Reader
from dalston_gateway.health import check
from dalston_gateway.responses import JSON_TYPE
from dalston_gateway.services import Services, services_of

router = APIRouter(prefix="/v1", tags=["system"])


class ModelView(BaseModel):
    """A model of an engine; empty languages: those of the engine."""

    name: str
    default: bool
    languages: list[str]


class EngineView(BaseModel):
    """An engine: what it does, what waits for it and who works on it."""

    name: str
    stages: list[Stage]
    image: str
    version: str = Field(description="Tag of its image.")
    models: list[ModelView]
    queued: int
    running: int
    workers: int
    ready: int
    max_workers: int
    status: str = Field(description="Reason of its condition Ready; empty before it was looked at.")
    failing: str


class JobCounts(BaseModel):
    """Jobs by state."""

    pending: int = 0
    running: int = 0
    suspended: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class SystemStatus(BaseModel):
    """How the system is."""

    status: str
    version: str
    checks: dict[str, str]
    queued: int = Field(description="Tasks that wait, in all.")
    running: int = Field(description="Tasks that workers hold, in all.")
    workers: int
    jobs: JobCounts
    engines: list[EngineView]


class EngineList(BaseModel):
    """All engines."""

    items: list[EngineView]


@router.get("/system/status", response_model=SystemStatus)
async def status(request: Request, caller: Reader) -> Response:
    """Say how the system is: dependencies, queues, workers, engines and versions."""
    services = services_of(request)
    health = await check(services)
    engines = [show(engine) for engine in services.engines.engines()]
    found = SystemStatus(
        status=health.status,
        version=__version__,
        checks=health.checks,
        queued=sum(engine.queued for engine in engines),
        running=sum(engine.running for engine in engines),
        workers=sum(engine.workers for engine in engines),
        jobs=_count(services),
        engines=engines,
    )
    return Response(found.model_dump_json(), media_type=JSON_TYPE)


@router.get("/engines", response_model=EngineList)
async def engines(request: Request, caller: Reader) -> Response:
    """List the engines of this installation."""
    found = EngineList(items=[show(each) for each in services_of(request).engines.engines()])
    return Response(found.model_dump_json(), media_type=JSON_TYPE)


def show(engine: Engine) -> EngineView:
    """Show one engine."""
    spec, status = engine.spec, engine.status
    ready = find_condition(status.conditions, EngineCondition.READY)
    default = spec.default_model()
    return EngineView(
        name=engine.metadata.name,
        stages=spec.stages,
        image=spec.image,
        version=_tag(spec.image),
        models=[
            ModelView(name=model.name, default=model is default, languages=model.languages)
            for model in spec.models
        ],
        queued=status.queued,
        running=status.running,
        workers=status.workers,
        ready=status.ready,
        max_workers=spec.workers.max,
        status=ready.reason if ready else "",
        failing=status.failing,
    )


def _tag(image: str) -> str:
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2] or "latest"


def _count(services: Services) -> JobCounts:
    """Count all jobs: numbers alone tell nothing of anybody's recordings."""
    counts: dict[str, int] = {}
    for view in services.watch.informer.cache.values():
        phase = (view.phase or "Pending").lower()
        counts[phase] = counts.get(phase, 0) + 1
    return JobCounts.model_validate(counts)

"""The engines that this installation has, and what a job may ask of them."""

import logging
from typing import Any

from pydantic import ValidationError

from dalston.kube import Informer, KubeClient
from dalston.kube.kinds import ENGINES
from dalston.pipeline.plan import Plan, PlanRejected, plan
from dalston.resources import Engine, Stage, TranscriptionJobSpec
from dalston.resources.reasons import JobReason
from dalston.resources.transcription_job import EngineChoice
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.readiness import known

logger = logging.getLogger(__name__)

_FAULTS = {
    JobReason.UNKNOWN_ENGINE: Fault.UNKNOWN_MODEL,
    JobReason.UNKNOWN_MODEL: Fault.UNKNOWN_MODEL,
    JobReason.UNSUPPORTED_LANGUAGE: Fault.UNKNOWN_LANGUAGE,
    JobReason.UNSUPPORTED_OPTION: Fault.UNSUPPORTED,
    JobReason.NO_ENGINE: Fault.UNSUPPORTED,
}
_PARAMS = {Fault.UNKNOWN_MODEL: "model", Fault.UNKNOWN_LANGUAGE: "language"}
_NEEDED_BY_ALL = frozenset({Stage.PREPARE, Stage.TRANSCRIBE, Stage.MERGE})


class EngineCatalogue:
    """A live list of the Engine objects of a namespace; `run()` is its task."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.informer: Informer[Engine | None] = Informer(
            kube, ENGINES, project=_engine, namespace=namespace
        )

    async def run(self) -> None:
        """Watch until cancelled."""
        await self.informer.run()

    async def known(self, *, timeout: float) -> None:
        """Wait until the engines have been read; raises GatewayProblem after `timeout` seconds."""
        await known(self.informer.synced, what="engines", timeout=timeout)

    def engines(self) -> list[Engine]:
        """Give all engines, by name."""
        found = [engine for engine in self.informer.cache.values() if engine is not None]
        return sorted(found, key=lambda engine: engine.metadata.name)

    def stages(self) -> frozenset[Stage]:
        """Give the stages that some engine performs."""
        return frozenset(stage for engine in self.engines() for stage in engine.spec.stages)

    def detects_audio_events(self) -> bool:
        """Tell whether some engine marks audio events."""
        return any(
            Stage.DETECT in engine.spec.stages and engine.spec.capabilities.audio_events
            for engine in self.engines()
        )

    def choose(self, name: str, *, param: str) -> EngineChoice:
        """Give the choice that `engine`, `model` or `engine/model` stands for.

        A model's own name comes before an engine's. Raises GatewayProblem for names that no engine
        knows.
        """
        engines = [engine for engine in self.engines() if Stage.TRANSCRIBE in engine.spec.stages]
        for engine in engines:
            if engine.spec.find_model(name):
                return EngineChoice(stage=Stage.TRANSCRIBE, model=name)
        first, slash, model = name.partition("/")
        for engine in engines:
            if engine.metadata.name == name:
                return EngineChoice(stage=Stage.TRANSCRIBE, engine=name)
            if slash and engine.metadata.name == first and engine.spec.find_model(model):
                return EngineChoice(stage=Stage.TRANSCRIBE, engine=first, model=model)
        known = sorted(
            {engine.metadata.name for engine in engines}
            | {model.name for engine in engines for model in engine.spec.models}
        )
        raise GatewayProblem(
            Fault.UNKNOWN_MODEL,
            f"there is no model or engine {name!r}; there are: {', '.join(known) or 'none'}",
            param=param,
        )

    def plan(self, spec: TranscriptionJobSpec) -> Plan:
        """Plan the job as the operator will; raises GatewayProblem when no engine can do what it asks."""
        try:
            return plan(spec, self.engines())
        except PlanRejected as rejected:
            if not self.stages() >= _NEEDED_BY_ALL:
                raise GatewayProblem(
                    Fault.UNAVAILABLE, rejected.message, retry_after=10
                ) from rejected
            fault = _FAULTS.get(rejected.reason, Fault.UNSUPPORTED)
            raise GatewayProblem(fault, rejected.message, param=_PARAMS.get(fault)) from rejected


def _engine(item: dict[str, Any]) -> Engine | None:
    try:
        return Engine.model_validate(item)
    except ValidationError as error:
        logger.error("engine %s cannot be read: %s", item["metadata"]["name"], error)
        return None

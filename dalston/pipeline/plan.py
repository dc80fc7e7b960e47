"""Plans a job: which stages it needs, and the engine and model of each. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from dalston.pipeline.stages import ORDER
from dalston.resources.engine import Engine, EngineModel
from dalston.resources.reasons import JobReason
from dalston.resources.stages import Stage
from dalston.resources.transcription_job import EngineChoice, TranscriptionJobSpec
from dalston.resources.transcription_options import SpeakerMode, Timestamps, TranscriptionOptions


@dataclass(frozen=True)
class PlannedStage:
    """A stage with its engine and model, or the reason why it is skipped."""

    stage: Stage
    engine: str | None = None
    model: str | None = None
    skipped: str | None = None


@dataclass(frozen=True)
class Plan:
    """All stages in order; `warnings` say what was asked for and is done in a lesser way."""

    stages: tuple[PlannedStage, ...]
    warnings: tuple[str, ...] = ()


class PlanRejected(Exception):
    """The job cannot be run as it is; `reason` is for programs, the message names alternatives."""

    def __init__(self, reason: JobReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class _Refusal:
    """Why an engine cannot take the job."""

    reason: JobReason
    text: str


def plan(spec: TranscriptionJobSpec, engines: Sequence[Engine]) -> Plan:
    """Choose an engine for every stage that the job needs; raises PlanRejected."""
    warnings: list[str] = []
    stages: list[PlannedStage] = []
    transcriber: Engine | None = None
    for stage in ORDER:
        choice = next((choice for choice in spec.engines if choice.stage == stage), None)
        needless = None if choice else _needless(stage, spec, transcriber, engines, warnings)
        if needless is not None:
            stages.append(PlannedStage(stage, skipped=needless))
            continue
        engine, model = _choose(stage, spec, choice, engines)
        if stage == Stage.TRANSCRIBE:
            transcriber = engine
        stages.append(
            PlannedStage(stage, engine=engine.metadata.name, model=model.name if model else None)
        )
    return Plan(tuple(stages), tuple(warnings))


def _needless(
    stage: Stage,
    options: TranscriptionOptions,
    transcriber: Engine | None,
    engines: Sequence[Engine],
    warnings: list[str],
) -> str | None:
    """Give the reason for which a stage is not needed, or None when it is."""
    if stage == Stage.ALIGN:
        return _align_needless(options, transcriber, engines, warnings)
    if stage == Stage.DIARIZE and options.speakers.mode != SpeakerMode.DIARIZE:
        return "speakers.mode is not diarize"
    detect = options.detect
    if stage == Stage.DETECT and not (
        detect and (detect.audio_events or detect.entities or detect.redaction)
    ):
        return "nothing to detect was asked for"
    refine = options.refine
    if stage == Stage.REFINE and not (refine and (refine.no_verbatim or refine.instruction)):
        return "no refinement was asked for"
    return None


def _align_needless(
    options: TranscriptionOptions,
    transcriber: Engine | None,
    engines: Sequence[Engine],
    warnings: list[str],
) -> str | None:
    if options.timestamps in (Timestamps.NONE, Timestamps.SEGMENT):
        return f"timestamps is {options.timestamps}"
    assert transcriber is not None, "TRANSCRIBE is planned before ALIGN"
    capabilities = transcriber.spec.capabilities
    if options.timestamps == Timestamps.CHARACTER and not capabilities.character_timestamps:
        if any(_aligns_characters(engine, options) for engine in engines):
            return None
        warnings.append("no engine measures character times: they are spread over each word")
    if capabilities.word_timestamps:
        return f"{transcriber.metadata.name} gives word times"
    return None


def _aligns_characters(engine: Engine, options: TranscriptionOptions) -> bool:
    return (
        Stage.ALIGN in engine.spec.stages
        and engine.spec.capabilities.character_timestamps
        and _fits(Stage.ALIGN, engine, options) is None
    )


def _choose(
    stage: Stage,
    options: TranscriptionOptions,
    choice: EngineChoice | None,
    engines: Sequence[Engine],
) -> tuple[Engine, EngineModel | None]:
    offering = [engine for engine in engines if stage in engine.spec.stages]
    candidates = _named(stage, choice, offering, engines)
    wanted_model = choice.model if choice else None
    refusals: list[_Refusal] = []
    fitting: list[tuple[Engine, EngineModel | None]] = []
    for engine in candidates:
        problem = _fits(stage, engine, options)
        model = None
        if problem is None:
            model, problem = _model(engine, wanted_model, options.language)
        if problem is None:
            fitting.append((engine, model))
        else:
            refusals.append(_Refusal(problem.reason, f"{engine.metadata.name} {problem.text}"))
    if not fitting:
        texts = "; ".join(refusal.text for refusal in refusals)
        raise PlanRejected(refusals[0].reason, f"no engine can {stage} this job: {texts}")
    return min(
        fitting,
        key=lambda pair: (
            _lacks_characters(pair[0], options),
            _cost(pair[0]),
            pair[0].metadata.name,
        ),
    )


def _lacks_characters(engine: Engine, options: TranscriptionOptions) -> bool:
    """Tell whether character times are wanted that the engine does not measure."""
    wanted = options.timestamps == Timestamps.CHARACTER
    return wanted and not engine.spec.capabilities.character_timestamps


def _named(
    stage: Stage,
    choice: EngineChoice | None,
    offering: Sequence[Engine],
    engines: Sequence[Engine],
) -> Sequence[Engine]:
    """Narrow the engines of a stage to what the choice names."""
    names = ", ".join(engine.metadata.name for engine in offering) or "none"
    if not offering:
        raise PlanRejected(
            JobReason.NO_ENGINE,
            f"the job needs {stage} and no engine offers it; apply an Engine with stage {stage}, "
            "or leave out what needs it",
        )
    if choice is None:
        return offering
    if choice.engine is not None:
        named = [engine for engine in offering if engine.metadata.name == choice.engine]
        if not named:
            exists = any(engine.metadata.name == choice.engine for engine in engines)
            problem = f"does not {stage}" if exists else "does not exist"
            raise PlanRejected(
                JobReason.UNKNOWN_ENGINE,
                f"engine {choice.engine} {problem}; engines that do: {names}",
            )
        return named
    if choice.model is not None:
        with_model = [engine for engine in offering if engine.spec.find_model(choice.model)]
        if not with_model:
            known = sorted({model.name for engine in offering for model in engine.spec.models})
            raise PlanRejected(
                JobReason.UNKNOWN_MODEL,
                f"no engine has model {choice.model}; known models: {', '.join(known) or 'none'}",
            )
        return with_model
    return offering


def _fits(stage: Stage, engine: Engine, options: TranscriptionOptions) -> _Refusal | None:
    """Give what an engine lacks for the job, or None."""
    capabilities = engine.spec.capabilities
    if not _knows(capabilities.languages, options.language):
        return _Refusal(
            JobReason.UNSUPPORTED_LANGUAGE, f"does not know language {options.language}"
        )
    if stage == Stage.TRANSCRIBE:
        if options.task not in capabilities.tasks:
            return _Refusal(JobReason.UNSUPPORTED_OPTION, f"does not {options.task}")
        if options.vocabulary and not capabilities.vocabulary:
            return _Refusal(JobReason.UNSUPPORTED_OPTION, "takes no vocabulary")
    if stage == Stage.DIARIZE and not capabilities.diarization:
        return _Refusal(JobReason.UNSUPPORTED_OPTION, "does not diarize")
    if stage == Stage.DETECT and options.detect:
        if options.detect.audio_events and not capabilities.audio_events:
            return _Refusal(JobReason.UNSUPPORTED_OPTION, "does not detect audio events")
        if (options.detect.entities or options.detect.redaction) and not capabilities.entities:
            return _Refusal(JobReason.UNSUPPORTED_OPTION, "does not detect entities")
    return None


def _model(
    engine: Engine, wanted: str | None, language: str | None
) -> tuple[EngineModel | None, _Refusal | None]:
    """Give the model to use, or what is wrong."""
    if wanted is not None:
        model = engine.spec.find_model(wanted)
        if model is None:
            known = ", ".join(model.name for model in engine.spec.models) or "none"
            text = f"has no model {wanted} (it has: {known})"
            return None, _Refusal(JobReason.UNKNOWN_MODEL, text)
        if not _knows(model.languages, language):
            text = f"cannot: its model {wanted} does not know language {language}"
            return None, _Refusal(JobReason.UNSUPPORTED_LANGUAGE, text)
        return model, None
    default = engine.spec.default_model()
    if default is None:
        return None, None
    for model in [default, *engine.spec.models]:
        if _knows(model.languages, language):
            return model, None
    text = f"has no model that knows language {language}"
    return None, _Refusal(JobReason.UNSUPPORTED_LANGUAGE, text)


def _knows(languages: Sequence[str], language: str | None) -> bool:
    if language is None or not languages:
        return True
    return language in languages or language.split("-")[0] in languages


def _cost(engine: Engine) -> float:
    costs = [cost for cost in (engine.spec.cost.gpu, engine.spec.cost.cpu) if cost is not None]
    return min(costs, default=float("inf"))

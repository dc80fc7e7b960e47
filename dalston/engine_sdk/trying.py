"""`try`: one engine on one recording, without any server."""

import json
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import yaml
from pydantic import ValidationError

from dalston.engine_sdk.engine import Engine
from dalston.engine_sdk.errors import ModelMissing, OptionError, as_input_error
from dalston.engine_sdk.loading import read_manifest
from dalston.engine_sdk.local import (
    LocalRun,
    LocalRunner,
    find_prepare_engine,
    make_engine,
    prepare,
)
from dalston.engine_sdk.outcomes import exit_code_of
from dalston.pipeline.results import RESULT_TYPES, PrepareResult, StageResult
from dalston.resources.stages import Stage
from dalston.resources.transcription_options import SourceFormat, TranscriptionOptions


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is to be tried; `inputs` are files with results of earlier stages, as `try` prints them."""

    folder: Path
    audio: Path
    stage: Stage | None = None
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: dict[Stage, Path] = field(default_factory=dict)
    output: Path | None = None


def try_engine(trial: Trial, *, out: TextIO | None = None) -> int:
    """Print the result as JSON and the times; gives the exit status, as a worker would."""
    errors = sys.stderr
    try:
        report = run_trial(trial, errors=errors)
    except ModelMissing as error:
        print(error, file=errors)
        return 1
    except Exception as error:
        fault = as_input_error(error)
        if fault is None:
            raise
        print(f"{fault.code}: {fault.message}", file=errors)
        return exit_code_of(fault)
    print(json.dumps(report, ensure_ascii=False, indent=2), file=out or sys.stdout)
    return 0


def run_trial(trial: Trial, *, errors: TextIO) -> dict[str, Any]:
    """Give the report: results, files, seconds of audio, load and run."""
    options = parse_options(trial.options)
    stage = trial.stage or read_manifest(trial.folder).spec.stages[0]
    engine = make_engine(trial.folder, parameters=trial.parameters)
    started = time.perf_counter()
    engine.load()
    loaded = time.perf_counter() - started
    with LocalRunner() as runner:
        if stage is Stage.PREPARE:
            runs = [_run_prepare(runner, engine, trial, options)]
            audio = PrepareResult.model_validate(runs[0].result).duration
        else:
            prepared = prepare(
                runner,
                trial.audio,
                engine_folder=find_prepare_engine(trial.folder),
                options=options,
            )
            audio = prepared.duration
            for earlier, path in trial.inputs.items():
                for part, result in enumerate(_read_results(earlier, path)):
                    runner.add_result(earlier, result, part=part)
            runs = _run_parts(runner, engine, stage, trial, options, prepared)
        if trial.output is not None:
            _copy_files(runs, trial.output)
    seconds = sum(run.seconds for run in runs)
    print(
        f"{trial.folder.name}: {audio:.1f} s of audio in {seconds:.2f} s "
        f"({seconds / max(audio, 1e-9):.3f} s each), loaded in {loaded:.2f} s",
        file=errors,
    )
    results = [run.result for run in runs]
    return {
        "stage": str(stage),
        "results": results,
        "files": sorted({name for run in runs for name in run.files}),
        "audio_seconds": round(audio, 3),
        "load_seconds": round(loaded, 3),
        "run_seconds": round(seconds, 3),
    }


def parse_options(values: dict[str, Any]) -> TranscriptionOptions:
    """Read options by their names in a TranscriptionJob; raises OptionError for others."""
    known = set(TranscriptionOptions.model_fields)
    known |= {each.alias for each in TranscriptionOptions.model_fields.values() if each.alias}
    unknown = sorted(set(values) - known)
    if unknown:
        raise OptionError("UnknownOption", f"There is no option {unknown[0]!r}.")
    try:
        return TranscriptionOptions.model_validate(values)
    except ValidationError as error:
        raise OptionError("InvalidOption", str(error)) from error


def parse_assignments(texts: list[str]) -> dict[str, Any]:
    """Read `name=value`, `group.name=value`; values are YAML. Raises ValueError."""
    found: dict[str, Any] = {}
    for text in texts:
        path, separator, value = text.partition("=")
        if not separator or not path:
            raise ValueError(f"not name=value: {text!r}")
        *groups, name = path.split(".")
        place = found
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = yaml.safe_load(value)
    return found


def _run_prepare(
    runner: LocalRunner, engine: Engine, trial: Trial, options: TranscriptionOptions
) -> LocalRun:
    source = runner.put_source(trial.audio)
    if trial.audio.suffix == ".pcm":
        source = source.model_copy(update={"format": SourceFormat.PCM_S16LE_16})
    return runner.run(engine, runner.request(Stage.PREPARE, source=source, options=options))


def _run_parts(
    runner: LocalRunner,
    engine: Engine,
    stage: Stage,
    trial: Trial,
    options: TranscriptionOptions,
    prepared: PrepareResult,
) -> list[LocalRun]:
    fans_out = stage in (Stage.TRANSCRIBE, Stage.ALIGN)
    parts = [part.index for part in prepared.parts] if fans_out else [0]
    return [
        runner.run(
            engine,
            runner.request(
                stage,
                engine=engine.context.name,
                options=options,
                model=trial.model or engine.context.models.default,
                part=part,
            ),
        )
        for part in parts
    ]


def _read_results(stage: Stage, path: Path) -> list[StageResult]:
    found = json.loads(path.read_text(encoding="utf-8"))
    results = found["results"] if isinstance(found, dict) and "results" in found else [found]
    return [RESULT_TYPES[stage].model_validate(result) for result in results]


def _copy_files(runs: list[LocalRun], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for run in runs:
        for name, path in run.files.items():
            shutil.copyfile(path, folder / name)

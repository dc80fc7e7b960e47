"""`check`: whether an engine keeps the contract, by reading its folder and by running it.

Each check yields findings; a finding that is an error makes the engine fail.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from dalston.engine_sdk.engine import Engine
from dalston.engine_sdk.errors import EngineDefect, ModelMissing, TaskCancelled, as_input_error
from dalston.engine_sdk.loading import load_engine_class, read_manifest, read_manifest_object
from dalston.engine_sdk.local import LocalRunner, make_engine
from dalston.engine_sdk.parameters import violations
from dalston.engine_sdk.samples import (
    add_sample_results,
    bad_sources,
    speechlike,
    write_clip,
)
from dalston.engine_sdk.task import Task
from dalston.resources.engine import Engine as EngineManifest
from dalston.resources.meta import API_VERSION
from dalston.resources.schema import structural_schema
from dalston.resources.stages import Stage
from dalston.resources.transcription_options import Source

FILES = ("README.md", "requirements.txt", "Dockerfile")

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CLIP_SECONDS = 3.0
_LONG_SECONDS = 60.0
_CALL_SECONDS = 120.0
"""Seconds that one call may take: above any engine on a clip of three seconds."""

_STOP_SECONDS = 5.0
"""Seconds in which a cancelled task has to end."""


class Verdict(StrEnum):
    """What a finding says."""

    PASSED = "ok"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    check: str
    message: str = ""


def check_engine(
    folder: Path,
    *,
    model: str | None = None,
    parameters: dict[str, Any] | None = None,
    out: TextIO | None = None,
) -> int:
    """Print the report; gives 0 when everything passed, else 1."""
    failed = 0
    for finding in findings(folder, model=model, parameters=parameters):
        failed += finding.verdict is Verdict.FAILED
        message = f": {finding.message}" if finding.message else ""
        print(f"{finding.verdict:7} {finding.check}{message}", file=out or sys.stdout, flush=True)
    return 1 if failed else 0


def findings(
    folder: Path, *, model: str | None = None, parameters: dict[str, Any] | None = None
) -> Iterator[Finding]:
    """Give all findings, the cheap ones first."""
    yield from _files(folder)
    manifest, found = _manifest(folder)
    yield from found
    try:
        load_engine_class(folder)
    except Exception as error:  # noqa: BLE001 - the report tells it
        yield Finding(Verdict.FAILED, "engine.py", f"{type(error).__name__}: {error}")
        return
    yield Finding(Verdict.PASSED, "engine.py has one Engine")
    if manifest is None:
        return
    try:
        engine = make_engine(folder, parameters=parameters)
        engine.load()
    except Exception as error:  # noqa: BLE001 - the report tells it
        hint = " (or give --model)" if isinstance(error, ModelMissing) else ""
        yield Finding(Verdict.FAILED, "load()", f"{type(error).__name__}: {error}{hint}")
        return
    yield Finding(Verdict.PASSED, "load()")
    for stage in manifest.spec.stages:
        yield from _Calls(engine, stage, model=model or engine.context.models.default).findings()


def _files(folder: Path) -> Iterator[Finding]:
    missing = [name for name in FILES if not (folder / name).is_file()]
    verdict = Verdict.FAILED if missing else Verdict.PASSED
    yield Finding(verdict, "files", f"missing: {', '.join(missing)}" if missing else "")


def _manifest(folder: Path) -> tuple[EngineManifest | None, list[Finding]]:
    try:
        written = read_manifest_object(folder)
        manifest = read_manifest(folder)
    except (EngineDefect, ValidationError) as error:
        return None, [Finding(Verdict.FAILED, "engine.yaml", str(error))]
    wrong = [*_identity(written, manifest, folder), *_unknown(written), *_settings(manifest)]
    if not wrong:
        return manifest, [Finding(Verdict.PASSED, "engine.yaml")]
    return manifest, [Finding(Verdict.FAILED, "engine.yaml", message) for message in wrong]


def _identity(written: dict[str, Any], manifest: EngineManifest, folder: Path) -> Iterator[str]:
    if (written.get("apiVersion"), written.get("kind")) != (API_VERSION, "Engine"):
        yield f"apiVersion and kind must be {API_VERSION} and Engine"
    name, resolved = manifest.metadata.name, folder.resolve()
    if not _NAME.fullmatch(name):
        yield f"metadata.name must be a DNS label, not {name!r}"
    if name != resolved.name:
        yield f"metadata.name is {name!r}, but the folder is called {resolved.name!r}"
    if resolved.parent.name not in manifest.spec.stages:
        yield f"spec.stages lacks the stage {resolved.parent.name!r} that the folder lies in"
    names = [model.name for model in manifest.spec.models]
    if len(names) != len(set(names)):
        yield "spec.models names a model twice"
    if sum(model.default for model in manifest.spec.models) > 1:
        yield "spec.models marks more than one default"
    if manifest.spec.workers.min > manifest.spec.workers.max:
        yield "spec.workers.min must not exceed max"


def _unknown(written: dict[str, Any]) -> Iterator[str]:
    """Tell fields that no API server would keep: misspelt ones, mostly."""
    for name in set(written) - {"apiVersion", "kind", "metadata", "spec", "status"}:
        yield f"{name} is no field of an Engine"
    yield from _unknown_in(written.get("spec"), structural_schema(EngineManifest), "spec")


def _unknown_in(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    if at == "spec":
        schema = schema["properties"]["spec"]
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_in(item, schema.get("items", {}), f"{at}[{index}]")
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for name, item in value.items():
        if name not in schema["properties"]:
            yield f"{at}.{name} is no field of an Engine"
        else:
            yield from _unknown_in(item, schema["properties"][name], f"{at}.{name}")


def _settings(manifest: EngineManifest) -> Iterator[str]:
    parameters = manifest.spec.parameters
    yield from violations(parameters.values, parameters.schema_, at="spec.parameters.values")


class _Calls:
    """Calls of `process()` for one stage."""

    def __init__(self, engine: Engine, stage: Stage, *, model: str | None) -> None:
        self._engine = engine
        self._stage = stage
        self._model = model

    def findings(self) -> Iterator[Finding]:
        """Give what the calls show: a clip, bad recordings, cancelling."""
        with LocalRunner() as runner:
            yield self._on_clip(runner)
        for name, write in bad_sources(self._stage).items():
            with LocalRunner() as runner:
                yield self._on_bad(runner, name, write)
        with LocalRunner() as runner:
            yield self._on_cancelling(runner)

    def _on_clip(self, runner: LocalRunner) -> Finding:
        check = f"{self._stage}: a clip of {_CLIP_SECONDS:.0f} s"
        clip = write_clip(runner.path / "clip.wav", speechlike(_CLIP_SECONDS))
        task = self._task(runner, clip)
        error = _call(lambda: runner.run_task(self._engine, task), seconds=_CALL_SECONDS)
        if error is None:
            return Finding(Verdict.PASSED, check)
        return Finding(Verdict.FAILED, check, _named(error))

    def _on_bad(self, runner: LocalRunner, name: str, write: Callable[[Path], Path]) -> Finding:
        check = f"{self._stage}: {name}"
        source = write(runner.path / "bad.wav")
        task = self._task(runner, source)
        error = _call(lambda: runner.run_task(self._engine, task), seconds=_CALL_SECONDS)
        fault = as_input_error(error) if error is not None else None
        if fault is not None:
            return Finding(Verdict.PASSED, check, f"InputError {fault.code}")
        if error is not None:
            return Finding(Verdict.FAILED, check, f"must raise InputError, not {_named(error)}")
        if self._stage is Stage.PREPARE:
            return Finding(Verdict.FAILED, check, "must raise InputError, but gave a result")
        return Finding(Verdict.PASSED, check, "a result")

    def _on_cancelling(self, runner: LocalRunner) -> Finding:
        check = f"{self._stage}: cancelling"
        clip = write_clip(runner.path / "long.wav", speechlike(_LONG_SECONDS))
        task = self._task(runner, clip)
        timer = threading.Timer(0.2, task.cancelled.set)
        timer.start()
        started = time.monotonic()
        error = _call(lambda: runner.run_task(self._engine, task), seconds=_CALL_SECONDS)
        timer.join()
        late = time.monotonic() - started - 0.2
        if late > _STOP_SECONDS:
            return Finding(
                Verdict.FAILED,
                check,
                f"went on for {late:.1f} s: call task.check_cancelled() every few seconds",
            )
        if error is not None and not isinstance(error, TaskCancelled):
            return Finding(
                Verdict.FAILED, check, f"must pass TaskCancelled on, not {_named(error)}"
            )
        return Finding(Verdict.PASSED, check, "" if error is not None else "was quicker")

    def _task(self, runner: LocalRunner, clip: Path) -> Task:
        source: Source | None = None
        if self._stage is Stage.PREPARE:
            source = runner.put_source(clip)
        else:
            add_sample_results(runner, self._stage, clip)
        request = runner.request(
            self._stage, engine=self._engine.context.name, source=source, model=self._model
        )
        return runner.make_task(request)


def _call(call: Callable[[], object], *, seconds: float) -> BaseException | None:
    """Make a call in a thread of its own; gives what it raised, TimeoutError when it hangs."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - judged by the caller
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return TimeoutError(f"no end within {seconds:.0f} s")
    return raised[0] if raised else None


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"

"""Runs engines on tasks whose artifacts are files in a folder: no worker, no bus, no store."""

import importlib.util
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalston.engine_sdk import (
    Engine,
    EngineContext,
    Manifest,
    Source,
    Stage,
    StageResult,
    Task,
    TranscriptionOptions,
)
from dalston.pipeline.tasks import StageSummary, TaskRequest

ENGINES = Path(__file__).parents[2] / "engines"


def load_engine(stage: str, name: str, **parameters: Any) -> Engine:
    """The engine in `engines/<stage>/<name>/engine.py` with these parameters."""
    path = ENGINES / stage / name / "engine.py"
    spec = importlib.util.spec_from_file_location(f"engine_{name.replace('-', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Engine) and each is not Engine
    ]
    assert len(found) == 1
    return found[0](EngineContext(name=name, parameters=parameters))


class FolderFiles:
    """Artifacts whose keys are paths relative to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, keys: Sequence[str]) -> list[bytes]:
        return [(self.folder / key).read_bytes() for key in keys]

    def local(self, key: str) -> Path | None:
        return self.folder / key

    def open(self, key: str) -> Path:
        return self.folder / key

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with (self.folder / key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def fetch(self, url: str) -> Path:
        raise NotImplementedError(url)


def folder_task(
    folder: Path,
    stage: Stage,
    *,
    source: Source | None = None,
    options: TranscriptionOptions | None = None,
    results: dict[Stage, list[StageResult]] | None = None,
) -> Task:
    """A task of a job whose earlier stages had these results."""
    inputs: dict[Stage, tuple[str, ...]] = {}
    for earlier, found in (results or {}).items():
        keys = []
        for part, result in enumerate(found):
            manifest = Manifest(
                task=f"job/{earlier}/{part}/0",
                engine="test",
                worker="test",
                folder=str(earlier),
                result=result.model_dump(mode="json"),
                summary=StageSummary(),
                finished_at=datetime.now(UTC),
            )
            keys.append(f"{earlier}-{part}.json")
            (folder / keys[-1]).write_text(manifest.model_dump_json())
        inputs[earlier] = tuple(keys)
    request = TaskRequest(
        job="job",
        job_name="job",
        namespace="default",
        stage=stage,
        engine="test",
        source=source or Source(artifact="recording"),
        options=options or TranscriptionOptions(),
        inputs=inputs,
        engines={Stage.PREPARE: "audio-prepare", stage: "test"},
        published_at=datetime.now(UTC),
    )
    return Task(request, files=FolderFiles(folder), scratch=folder)

"""A task as the engine sees it: the request, the inputs as local files, a place for outputs.

Inputs are read when they are asked for. All methods are called from the engine's thread and may block.
"""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from dalston.artifacts.store import ArtifactNotFound
from dalston.audio.pcm import SAMPLE_RATE
from dalston.audio.wav import WAV_HEADER_BYTES, byte_range, wav_header
from dalston.engine_sdk.errors import InputError, TaskCancelled
from dalston.pipeline.results import RESULT_TYPES, Part, PrepareResult, StageResult, Track
from dalston.pipeline.tasks import Manifest, TaskRequest
from dalston.resources.stages import Stage
from dalston.resources.transcription_options import TranscriptionOptions

Result = TypeVar("Result", bound=StageResult)

_PART_STAGES = (Stage.TRANSCRIBE, Stage.ALIGN)
_OUTPUTS = "outputs"
_COPY_BYTES = 8 * 1024 * 1024


class TaskFiles(Protocol):
    """Artifacts and addresses as local files; every method blocks."""

    def read(self, keys: Sequence[str]) -> list[bytes]:
        """Give the content of small artifacts."""

    def local(self, key: str) -> Path | None:
        """Give the stored file itself where the store is a folder."""

    def open(self, key: str) -> Path:
        """Give a local file with the content, to be read only."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Give `length` bytes from byte `start` on."""

    def fetch(self, url: str) -> Path:
        """Download what is at an address."""


class Task:
    """One task. `cancelled` is set when it is not wanted any more."""

    def __init__(
        self,
        request: TaskRequest,
        *,
        files: TaskFiles,
        scratch: Path,
        on_progress: Callable[[float, float], None] = lambda done, total: None,
    ) -> None:
        self.request = request
        self.cancelled = threading.Event()
        self._files = files
        self._scratch = scratch
        self._on_progress = on_progress
        self._manifests: dict[Stage, list[Manifest]] = {}

    @property
    def stage(self) -> Stage:
        """The stage to perform."""
        return self.request.stage

    @property
    def options(self) -> TranscriptionOptions:
        """What the transcript is to hold."""
        return self.request.options

    @property
    def scratch(self) -> Path:
        """A folder for intermediate files; it goes when the task ends."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    @cached_property
    def source(self) -> Path | None:
        """PREPARE: the recording as it came in, to be read only; None for other stages.

        Raises InputError when it cannot be had.
        """
        if self.stage is not Stage.PREPARE:
            return None
        source = self.request.source
        if source.url is not None:
            return self._files.fetch(source.url)
        if source.artifact is None:
            raise InputError("NoSource", "The job names neither a URL nor an artifact.")
        try:
            return self._files.open(source.artifact)
        except ArtifactNotFound as error:
            raise InputError(
                "SourceNotFound", "The recording is not in the store any more; upload it again."
            ) from error

    @cached_property
    def prepared(self) -> PrepareResult | None:
        """The result of PREPARE; None before it."""
        found = self.results(Stage.PREPARE)
        return found[0] if found and isinstance(found[0], PrepareResult) else None

    @cached_property
    def part(self) -> Part | None:
        """TRANSCRIBE, ALIGN: the part of the recording that the task is about; else None."""
        if self.stage not in _PART_STAGES or self.prepared is None:
            return None
        return next(part for part in self.prepared.parts if part.index == self.request.part)

    @cached_property
    def audio(self) -> Path | None:
        """TRANSCRIBE, ALIGN: a 16 kHz mono 16-bit WAV with exactly the part; else None.

        To be read only: it may be the stored file itself.
        """
        if self.part is None:
            return None
        track = self._track(self.part.track)
        key = self._track_key(track)
        whole = self.part.start <= 0.0 and self.part.end >= track.duration - 0.5 / SAMPLE_RATE
        stored = self._files.local(key) if whole else None
        return stored or self._cut(key, start=self.part.start, end=self.part.end)

    def track_audio(self, index: int) -> Path:
        """Give the 16 kHz mono 16-bit WAV of a whole track, to be read only."""
        return self._files.open(self._track_key(self._track(index)))

    def results(self, stage: Stage) -> list[StageResult]:
        """Give the results of an earlier stage in the order of its parts; none if it did not run."""
        kind = RESULT_TYPES[stage]
        return [kind.model_validate(manifest.result) for manifest in self._inputs(stage)]

    def results_of(self, kind: type[Result]) -> list[Result]:
        """Give the results of the stage whose result type that is, typed."""
        stage = next(stage for stage, found in RESULT_TYPES.items() if found is kind)
        return [result for result in self.results(stage) if isinstance(result, kind)]

    def output(self, name: str) -> Path:
        """Give the path to write an output file to; it is stored with the result under that name."""
        if not name or name != Path(name).name or name in (".", ".."):
            raise ValueError(f"not a plain file name: {name!r}")
        folder = self._scratch / _OUTPUTS
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def outputs(self) -> list[Path]:
        """Give the output files that were written."""
        folder = self._scratch / _OUTPUTS
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_file())

    def progress(self, done: float, total: float) -> None:
        """Say how far the task is, in seconds of audio; also tells the watchdog that it moves."""
        self._on_progress(done, total)

    def check_cancelled(self) -> None:
        """Raise TaskCancelled when the task is not wanted any more."""
        if self.cancelled.is_set():
            raise TaskCancelled(str(self.request.id))

    def _inputs(self, stage: Stage) -> list[Manifest]:
        if stage not in self._manifests:
            contents = self._files.read(self.request.inputs.get(stage, ()))
            self._manifests[stage] = [Manifest.model_validate_json(data) for data in contents]
        return self._manifests[stage]

    def _track(self, index: int) -> Track:
        if self.prepared is None:
            raise ValueError("there are no tracks before PREPARE")
        return next(track for track in self.prepared.tracks if track.index == index)

    def _track_key(self, track: Track) -> str:
        return f"{self._inputs(Stage.PREPARE)[0].folder}/{track.audio}"

    def _cut(self, key: str, *, start: float, end: float) -> Path:
        """Copy a stretch of a stored WAV file into a file of its own."""
        offset, length = byte_range(start, end)
        path = self.scratch / "part.wav"
        with path.open("wb") as file:
            file.write(wav_header(length))
            while length > 0:
                self.check_cancelled()
                data = self._files.read_range(key, offset, min(length, _COPY_BYTES))
                if not data:
                    break
                file.write(data)
                offset, length = offset + len(data), length - len(data)
            written = file.tell() - WAV_HEADER_BYTES
            if length > 0:  # the track ends before the part does
                file.seek(0)
                file.write(wav_header(written))
        return path

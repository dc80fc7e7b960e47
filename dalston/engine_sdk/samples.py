"""Recordings and results that `check` feeds to engines."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dalston.audio import SAMPLE_RATE, write_wav
from dalston.engine_sdk.local import LocalRunner
from dalston.pipeline.results import AlignResult, DiarizeResult, TranscribeResult
from dalston.resources.stages import Stage
from dalston.transcripts import Segment, Turn, Word

_SEED = 20


def speechlike(seconds: float) -> NDArray[np.float32]:
    """Give something with the rhythm of speech: voiced syllables, four a second, with pauses."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * times)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 4 * times), 0, None)
    phrases = (times % 3.0) < 2.2
    breath = np.random.default_rng(_SEED).normal(0.0, 0.002, len(times))
    sound: NDArray[np.float32] = (0.15 * voice * syllables * phrases + breath).astype(np.float32)
    return sound


def write_clip(path: Path, samples: NDArray[np.float32]) -> Path:
    """Write a 16 kHz mono WAV file."""
    write_wav(path, samples)
    return path


def bad_sources(stage: Stage) -> dict[str, Callable[[Path], Path]]:
    """Give what an engine of that stage must bear: PREPARE sees any file, the others its WAVs."""

    def empty(path: Path) -> Path:
        path.write_bytes(b"")
        return path

    def text(path: Path) -> Path:
        path.write_text("This is not a recording.\n" * 50)
        return path

    def short(path: Path) -> Path:
        return write_clip(path, speechlike(0.05))

    def silent(path: Path) -> Path:
        return write_clip(path, np.zeros(SAMPLE_RATE, dtype=np.float32))

    if stage is Stage.PREPARE:
        return {"an empty file": empty, "a text file": text, "50 ms of audio": short}
    return {"50 ms of audio": short, "a second of silence": silent}


def add_sample_results(runner: LocalRunner, stage: Stage, clip: Path) -> None:
    """Make the results of the stages before `stage` for a clip."""
    prepared = runner.prepare_simply(clip)
    if stage in (Stage.TRANSCRIBE, Stage.DIARIZE):
        return
    end = prepared.duration
    middle = end / 2
    words = (
        Word(text="hello", start=0.0, end=middle, logprob=-0.1),
        Word(text="there", start=middle, end=end, logprob=-0.2),
    )
    segment = Segment(text="hello there", start=0.0, end=end, words=words, language="en")
    runner.add_result(Stage.TRANSCRIBE, TranscribeResult(language="en", segments=(segment,)))
    if stage is Stage.ALIGN:
        return
    runner.add_result(Stage.ALIGN, AlignResult(segments=(segment,)))
    turns = (Turn(start=0.0, end=end, speaker="speaker_0"),)
    runner.add_result(Stage.DIARIZE, DiarizeResult(turns={0: turns}, exclusive={0: turns}))

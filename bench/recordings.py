"""Whole recordings through the system against bare faster-whisper, in turn, in one run.

Both have the same model, batch size, beam and threads; the bare model is loaded before it is
timed, as the system's workers are.
"""

import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import jiwer

from bench.livez import Prober
from bench.report import Figure
from bench.stack import Stack, stack
from scripts.fetch_data import cache_folder
from tests.recordings import Recording, joined, long_recording
from tests.speech import Sample, jfk, recorded_english, samples

MODEL = "tiny.en"
THREADS = 2
_ROUNDS_SHORT = 7
_ROUNDS_LONG = 3
_TIMEOUT = 900.0

_NUMBERS = "zero one two three four five six seven eight nine ten".split()

_NORMALISE = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[^\w\s']": " ", r"\bmister\b": "mr"}),
        # A model writes the same number now in digits, now in letters; neither is wrong.
        jiwer.SubstituteRegexes({rf"\b{word}\b": str(n) for n, word in enumerate(_NUMBERS)}),
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    seconds: float
    text: str


class Bare:
    """The process with the bare model."""

    def __enter__(self) -> Self:
        model = cache_folder() / "models" / MODEL
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare", str(model), str(THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def transcribe(self, path: Path, *, batched: bool = True) -> Answer:
        """Transcribe one file with word times."""
        assert self._process.stdin is not None
        print(
            json.dumps({"path": str(path), "batched": batched}),
            file=self._process.stdin,
            flush=True,
        )
        answer = self._read()
        return Answer(answer["seconds"], answer["text"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare process has ended")
        parsed: dict[str, Any] = json.loads(line)
        return parsed


def post(system: Stack, path: Path) -> Answer:
    """POST one file as an ElevenLabs client does, and wait for the transcript with word times."""
    began = time.monotonic()
    with path.open("rb") as file:
        reply = httpx.post(
            f"{system.url}/v1/speech-to-text",
            data={"model_id": "scribe_v1", "language_code": "en"},
            files={"file": (path.name, file)},
            timeout=_TIMEOUT,
        )
    reply.raise_for_status()
    return Answer(time.monotonic() - began, reply.json()["text"])


def measure() -> list[Figure]:
    """Take all figures of whole recordings."""
    ten_minutes, one = long_recording(600), long_recording(54)
    with Bare() as bare, stack(MODEL) as system, Prober(system.url) as prober:
        bare.transcribe(one.path)
        post(system, one.path)
        figures = [
            _ten_minutes(bare, system, ten_minutes),
            *_short_clip(bare, system),
            _four_at_once(bare, system, one),
            *_accuracy(bare, system, ten_minutes, one),
        ]
        figures.append(prober.figure("livez p99 while recordings are transcribed"))
    return figures


def _ten_minutes(bare: Bare, system: Stack, recording: Recording) -> Figure:
    ours, theirs, ratios = [], [], []
    for _ in range(_ROUNDS_LONG):
        theirs.append(bare.transcribe(recording.path).seconds)
        ours.append(post(system, recording.path).seconds)
        ratios.append(theirs[-1] / ours[-1])
    return Figure(
        "10-minute recording, speed against bare",
        statistics.median(ratios),
        "x",
        ">=",
        0.97,
        {"system_seconds": ours, "bare_seconds": theirs},
    )


def _short_clip(bare: Bare, system: Stack) -> list[Figure]:
    path = jfk().path
    ours, theirs, ratios = [], [], []
    for number in range(_ROUNDS_SHORT + 1):
        their, our = bare.transcribe(path, batched=False).seconds, post(system, path).seconds
        if number == 0:
            continue
        theirs.append(their)
        ours.append(our)
        ratios.append(our / their)
    added = [_added(system, path) for _ in range(_ROUNDS_SHORT)]
    return [
        Figure(
            "11-second clip, time against bare",
            statistics.median(ratios),
            "x",
            "<=",
            0.8,
            {"system_seconds": ours, "bare_seconds": theirs},
        ),
        Figure(
            "time the system adds to the engines', 11-second clip",
            1000 * statistics.median(added),
            "ms",
            "<=",
            100,
            {"seconds": added},
        ),
    ]


def _added(system: Stack, path: Path) -> float:
    """Seconds of a request beside those in which TRANSCRIBE's engine ran."""
    began = time.monotonic()
    with path.open("rb") as file:
        reply = httpx.post(
            f"{system.url}/v1/speech-to-text",
            data={"model_id": "scribe_v1", "language_code": "en"},
            files={"file": (path.name, file)},
            timeout=_TIMEOUT,
        )
    seconds = time.monotonic() - began
    job = httpx.get(
        f"{system.url}/v1/audio/transcriptions/{reply.json()['transcription_id']}"
    ).json()
    ran = sum(
        stage["run_seconds"] or 0.0 for stage in job["stages"] if stage["name"] == "transcribe"
    )
    return seconds - ran


def _four_at_once(bare: Bare, system: Stack, recording: Recording) -> Figure:
    ours, theirs, ratios = [], [], []
    for _ in range(_ROUNDS_LONG):
        theirs.append(sum(bare.transcribe(recording.path).seconds for _ in range(4)))
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: post(system, recording.path), range(4)))
        ours.append(time.monotonic() - began)
        ratios.append(ours[-1] / theirs[-1])
    return Figure(
        "4 x 54 s at once, wall against bare in turn",
        statistics.median(ratios),
        "x",
        "<=",
        1.05,
        {"system_seconds": ours, "bare_seconds": theirs},
    )


def _accuracy(bare: Bare, system: Stack, ten_minutes: Recording, one: Recording) -> list[Figure]:
    pairs: list[tuple[Path, str]] = [(clip.path, clip.text) for clip in _clips()]
    pairs += [(ten_minutes.path, ten_minutes.text), (one.path, one.text)]
    pairs.append((joined(recorded_english()).path, joined(recorded_english()).text))
    texts = [text for _, text in pairs]
    theirs = _error_rate(texts, [bare.transcribe(path).text for path, _ in pairs])
    answers = [post(system, path).text for path, _ in pairs]
    ours = _error_rate(texts, answers)
    looped = sum(
        len(answer.split()) > 1.5 * len(text.split()) + 5
        for text, answer in zip(texts, answers, strict=True)
    )
    return [
        Figure(
            "WER over all recordings, minus the bare model's",
            ours - theirs,
            "",
            "<=",
            0.0,
            {"system": ours, "bare": theirs, "recordings": len(pairs)},
        ),
        Figure("transcripts that loop", looped, "", "==", 0),
    ]


def _clips() -> list[Sample]:
    return [clip for clip in samples().values() if clip.language == "en"]


def _error_rate(references: list[str], answers: list[str]) -> float:
    return float(
        jiwer.wer(
            references,
            answers,
            reference_transform=_NORMALISE,
            hypothesis_transform=_NORMALISE,
        )
    )

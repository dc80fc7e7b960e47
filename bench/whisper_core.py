"""The decoding core of the engine faster-whisper against bare faster-whisper, with no system around it.

`python -m bench.whisper_core [tiny.en|base …]` prints speed ratios, WER and where the time goes. Both
have two threads: the bare model in each call, the core in two batches side by side.
"""

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from scripts.fetch_data import cache_folder
from tests.recordings import conversation, long_recording
from tests.speech import jfk, samples

sys.path.insert(0, str(Path(__file__).parents[1] / "engines" / "transcribe" / "faster-whisper"))

from dalston_faster_whisper import transcriber as core  # type: ignore[import-not-found]
from dalston_faster_whisper.request import Request  # type: ignore[import-not-found]

Audio = NDArray[np.float32]
Transcribe = Callable[[Audio], str]

THREADS = 2
_DIGITS = "zero one two three four five six seven eight nine ten".split()


class Stages:
    """Seconds in each step of a model, over all threads; stands in for the CTranslate2 model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.seconds: dict[str, float] = defaultdict(float)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        return self.timed(name, found) if name in ("encode", "generate", "align") else found

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function, with its time counted."""

        def counting(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - began

        return counting


def bare(folder: Path) -> tuple[Transcribe, Stages]:
    """Bare faster-whisper, batched."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=THREADS)
    stages = model.model = Stages(model.model)
    pipeline = BatchedInferencePipeline(model)

    def transcribe(audio: Audio) -> str:
        found, _ = pipeline.transcribe(
            audio, language="en", word_timestamps=True, beam_size=5, batch_size=8
        )
        return "".join(segment.text for segment in found)

    return transcribe, stages


def engine_core(folder: Path) -> tuple[Transcribe, Stages]:
    """The engine's core, as the engine makes it."""
    model = WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=THREADS
    )
    stages = model.model = Stages(model.model)
    core.speech_probabilities = stages.timed("vad", core.speech_probabilities)
    transcriber = core.Transcriber(model, parallel=THREADS)

    def transcribe(audio: Audio) -> str:
        return str(transcriber.transcribe(audio, Request(language="en")).text)

    return transcribe, stages


def plain(text: str) -> str:
    """Lower case, digits as words, no punctuation."""
    words = "".join(c if c.isalnum() or c in "' " else " " for c in text.lower()).split()
    spelled = (_DIGITS[int(w)] if w.isdecimal() and int(w) < len(_DIGITS) else w for w in words)
    return " ".join(spelled)


def timed(transcribe: Transcribe, audio: Audio) -> tuple[float, float, str]:
    """Give wall seconds, processor seconds and the text."""
    wall, processor = time.perf_counter(), time.process_time()
    text = transcribe(audio)
    return time.perf_counter() - wall, time.process_time() - processor, text


def compare(name: str, *, seconds: float, rounds: int) -> None:
    """Print the comparison for one model; the two take turns."""
    folder = cache_folder() / "models" / name
    contenders = {"bare": bare(folder), "core": engine_core(folder)}
    long = long_recording(seconds)
    cases = {
        "jfk, 11 s": (decode_audio(str(jfk().path)), jfk().text, 5 * rounds),
        "talk, 43 s": (decode_audio(str(conversation().path)), conversation().text, rounds),
        f"long, {seconds:.0f} s": (decode_audio(str(long.path)), long.text, rounds),
    }
    clips = [each for each in samples().values() if each.language == "en"]
    clip_audio = [decode_audio(str(each.path)) for each in clips]
    for transcribe, _ in contenders.values():
        transcribe(cases["jfk, 11 s"][0])
    for case, (audio, said, times) in cases.items():
        taken: dict[str, list[tuple[float, float, str]]] = {"bare": [], "core": []}
        for _, stages in contenders.values():
            stages.seconds.clear()
        for _ in range(times):
            for who, (transcribe, _) in contenders.items():
                taken[who].append(timed(transcribe, audio))
        wall = {who: statistics.median(t[0] for t in each) for who, each in taken.items()}
        processor = {who: statistics.median(t[1] for t in each) for who, each in taken.items()}
        wer = {who: jiwer.wer(plain(said), plain(each[-1][2])) for who, each in taken.items()}
        print(
            f"{name:8} {case:12} bare {wall['bare']:6.2f} s  core {wall['core']:6.2f} s  "
            f"speed {wall['bare'] / wall['core']:.2f}  processor "
            f"{processor['bare'] / processor['core']:.2f}  "
            f"WER {wer['bare']:.4f} -> {wer['core']:.4f}",
            flush=True,
        )
        for who, (_, stages) in contenders.items():
            shares = {step: round(spent / times, 2) for step, spent in stages.seconds.items()}
            print(f"         {who}: thread seconds {shares}", flush=True)
    said_all = [plain(each.text) for each in clips]
    for who, (transcribe, _) in contenders.items():
        heard = [plain(transcribe(audio)) or "_" for audio in clip_audio]
        print(f"{name:8} {len(clips)} clips: {who} WER {jiwer.wer(said_all, heard):.4f}")


def main() -> None:
    """Compare the models that the arguments name."""
    parser = argparse.ArgumentParser(prog="bench.whisper_core", description=__doc__)
    parser.add_argument("models", nargs="*", default=["tiny.en", "base"])
    parser.add_argument("--seconds", type=float, default=600.0, help="of the long recording")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.models:
        compare(name, seconds=arguments.seconds, rounds=arguments.rounds)


if __name__ == "__main__":
    main()

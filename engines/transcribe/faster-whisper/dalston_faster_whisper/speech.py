"""Where there is speech: Silero's probabilities, and the spans that follow from them.

The model is the one inside faster-whisper; long audio is judged in stretches side by side, each with
a lead-in that warms up its memory.
"""

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from dalston_faster_whisper.request import SAMPLE_RATE, Span

FRAME_SAMPLES = 512
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE

_STRETCH_FRAMES = 1875
"""60 s, so that a cancelled task stops soon and threads share the work."""

_LEAD_IN_FRAMES = 64
"""Two seconds, after which the model's memory of what came before hardly matters."""

START_ABOVE = 0.5
STOP_BELOW = 0.35
MIN_SILENCE_SECONDS = 0.16
MIN_SPEECH_SECONDS = 0.1

MAX_SPAN_SECONDS = 27.0
"""Longer spans have no silence to cut in; they are cut where speech is least likely."""


def speech_probabilities(
    samples: NDArray[np.float32], executor: Executor | None = None
) -> NDArray[np.float32]:
    """Give the probability of speech in each frame of 512 samples (16 kHz mono)."""
    frames = -(-len(samples) // FRAME_SAMPLES)
    if frames == 0:
        return np.zeros(0, dtype=np.float32)
    starts = range(0, frames, _STRETCH_FRAMES)
    judge = map if executor is None or len(starts) == 1 else executor.map
    stretches = list(judge(lambda first: _stretch(samples, first), starts))
    return np.concatenate(stretches)[:frames]


def _stretch(samples: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    lead = min(first, _LEAD_IN_FRAMES)
    begin, end = (first - lead) * FRAME_SAMPLES, (first + _STRETCH_FRAMES) * FRAME_SAMPLES
    stretch = samples[begin:end]
    # A copy, in whole frames: the model writes into what it is given.
    whole = np.pad(stretch, (0, -len(stretch) % FRAME_SAMPLES))
    found: NDArray[np.float32] = get_vad_model()(whole).reshape(-1)
    return found[lead:]


def speech_spans(probabilities: NDArray[np.float32], *, duration: float) -> list[Span]:
    """Give the (start, end) seconds of speech: in order, apart, unpadded, none over the maximum."""
    spans: list[Span] = []
    for first, end in _runs(probabilities):
        if (end - first) * FRAME_SECONDS < MIN_SPEECH_SECONDS:
            continue
        for a, b in _short_runs(probabilities, first, end):
            spans.append((a * FRAME_SECONDS, min(duration, b * FRAME_SECONDS)))
    return spans


def _runs(probabilities: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Give the runs of frames that start above the one threshold and end below the other."""
    patience = round(MIN_SILENCE_SECONDS / FRAME_SECONDS)
    first: int | None = None
    silent_from: int | None = None
    for frame, value in enumerate(probabilities.tolist()):
        if value >= START_ABOVE:
            first = frame if first is None else first
            silent_from = None
        elif first is not None and value < STOP_BELOW:
            silent_from = frame if silent_from is None else silent_from
            if frame - silent_from >= patience:
                yield first, silent_from
                first = silent_from = None
    if first is not None:
        yield first, len(probabilities) if silent_from is None else silent_from


def _short_runs(
    probabilities: NDArray[np.float32], first: int, end: int
) -> Iterator[tuple[int, int]]:
    longest = int(MAX_SPAN_SECONDS / FRAME_SECONDS)
    while end - first > longest:
        middle = first + longest // 2
        cut = middle + int(np.argmin(probabilities[middle : first + longest]))
        yield first, cut
        first = cut
    yield first, end

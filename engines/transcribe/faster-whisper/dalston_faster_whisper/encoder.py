"""From samples to what the decoder listens to, without encoding 30 s for 10 s of speech.

Whisper knows windows of 30 s only: where the encoder's output just ends after short audio, the decoder
does not know when to stop, and loops. So a short window is encoded alone, which takes a fraction of
the time, and the states that silence has behind it are put in place from a store. They are taken
once from an encoding of 30 s that begins with a sound like speech.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from dalston_faster_whisper.request import SAMPLE_RATE

FRAMES_PER_SECOND = 100
FULL_FRAMES = 3000

ENCODED_SILENCE_SECONDS = 1.0
"""Silence that is encoded with the speech, so that its end is seen from nearby."""

STORED_SILENCE_SECONDS = 8.0
"""Silence from the store behind that; more makes each step of the decoder slower."""


@dataclass(frozen=True)
class Memory:
    """The encoder's output for some windows, and how many feature frames of each are audio."""

    states: Any
    frames: tuple[int, ...]


class Encoder:
    """Encodes windows; `right_sized` where short windows are encoded as such.

    The states pass through numpy, so this is for float32 on a CPU; elsewhere windows have 30 s.
    """

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self.right_sized = model.model.device == "cpu" and _is_float32(self._silence)
        width: int = self._silence.shape[2]
        self.width = width

    def encode(self, rows: Sequence[NDArray[np.float32]], *, full: bool = False) -> Memory:
        """Encode the samples of windows of at most 30 s; `full` as 30 s, whatever their length."""
        features = [self._features(row) for row in rows]
        frames = tuple(each.shape[1] for each in features)
        length = FULL_FRAMES
        if self.right_sized and not full:
            wanted = max(frames) + ENCODED_SILENCE_SECONDS * FRAMES_PER_SECOND
            length = min(FULL_FRAMES, 2 * ceil(wanted / 2))
        states = self._model.encode(np.stack([_padded(each, length) for each in features]))
        if length < FULL_FRAMES:
            states = self._completed(states)
        return Memory(states, frames)

    def _features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._model.feature_extractor(samples)[:, :-1]
        return found[:, :FULL_FRAMES]

    def _completed(self, states: Any) -> Any:
        short = np.asarray(states)
        rows, length, _ = short.shape
        end = length + int(STORED_SILENCE_SECONDS * FRAMES_PER_SECOND / 2)
        behind = np.asarray(self._silence)[:, length:end]
        whole = np.concatenate((short, np.repeat(behind, rows, axis=0)), axis=1)
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(whole))

    @cached_property
    def _silence(self) -> Any:
        """States of 30 s that begin with a sound and go on in silence."""
        features = self._model.feature_extractor(_babble())[:, :-1]
        return self._model.encode(_padded(features, FULL_FRAMES)[np.newaxis])


def _is_float32(states: Any) -> bool:
    return bool(states.dtype == ctranslate2.DataType.float32)


def _padded(features: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Fill up with the least value of the window, which is what silence looks like."""
    missing = max(0, length - features.shape[1])
    return np.pad(features, ((0, 0), (0, missing)), constant_values=float(features.min()))


def _babble(seconds: float = 1.5) -> NDArray[np.float32]:
    """Give a sound with the pitch, the harmonics and the syllables of a voice."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120.0 * (1.0 + 0.1 * np.sin(2 * np.pi * 3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = np.sum([np.sin(k * phase) / k for k in range(1, 25)], axis=0)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)
    breath = np.random.default_rng(0).normal(0.0, 1e-3, len(time))
    sound: NDArray[np.float32] = (0.1 * voice * syllables + breath).astype(np.float32)
    return sound

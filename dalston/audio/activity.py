"""Where a track is not silent: levels every 10 ms, a noise floor that follows the recording, hysteresis.

The map errs on the side of speech: a stretch is silent only where the level stays near the noise floor
of its surroundings for longer than any pause inside a word, and edges are padded. Where a stretch
has no contrast at all (steady music, noise), it counts as speech unless the rest of the recording is
far louder.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dalston.audio.pcm import SAMPLE_RATE

FRAME_SECONDS = 0.01
FRAME_SAMPLES = int(SAMPLE_RATE * FRAME_SECONDS)

_PRE_EMPHASIS = 0.95
"""For the second of the two levels, in which hum and rumble weigh little and consonants much."""

_LEVEL_STEP = 0.5
_LEVEL_ZERO = -100.0
"""Levels are kept as one byte: half decibels above -100 dBFS, 360 kB an hour."""

_SILENCE_DB = -85.0
"""Below this nothing is heard, whatever the surroundings."""

_BLOCK_FRAMES = 100
_CONTEXT_BLOCKS = 20
"""The floor at a second is taken from the 20 seconds before and after it."""

_FLAT_DB = 8.0
"""Speech has at least this much between its pauses and its vowels; noise has less."""

_FAR_BELOW_DB = 25.0

PAD_BEFORE_SECONDS = 0.1
PAD_AFTER_SECONDS = 0.2
MIN_GAP_SECONDS = 0.2


@dataclass(frozen=True)
class LevelTrack:
    """Two levels of a track in each frame of 10 ms, as bytes (see `decibels`), and its length.

    `levels` has the shape (2, frames): the signal as it is, and with pre-emphasis. White noise hides
    vowels in the second, rumble hides consonants in the first: speech shows in one of them.
    """

    levels: NDArray[np.uint8]
    duration: float

    def decibels(self) -> NDArray[np.float32]:
        """Give dBFS of each frame, in the shape of `levels`; -100 for digital silence."""
        return self.levels.astype(np.float32) * np.float32(_LEVEL_STEP) + np.float32(_LEVEL_ZERO)


class ActivityMeter:
    """Measures the level of a track that is fed block by block."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.uint8]] = []
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._last = np.float32(0.0)
        self._samples = 0

    def feed(self, samples: NDArray[np.int16]) -> None:
        """Take the next samples of 16 kHz PCM."""
        self._samples += len(samples)
        pending = np.concatenate((self._rest, samples))
        whole = len(pending) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = pending[whole:]
        if whole:
            self._measure(pending[:whole])

    def _measure(self, samples: NDArray[np.int16]) -> None:
        signal = samples.astype(np.float32)
        emphasised = signal.copy()
        emphasised[1:] -= np.float32(_PRE_EMPHASIS) * signal[:-1]
        emphasised[0] -= np.float32(_PRE_EMPHASIS) * self._last
        self._last = signal[-1]
        self._pieces.append(np.stack((_levels(signal), _levels(emphasised))))

    def finish(self) -> LevelTrack:
        """Give the levels of everything fed; a last frame that is not full counts as one."""
        if len(self._rest):
            self._measure(np.pad(self._rest, (0, FRAME_SAMPLES - len(self._rest))))
            self._rest = self._rest[:0]
        empty = np.zeros((2, 0), dtype=np.uint8)
        levels = np.concatenate((empty, *self._pieces), axis=1)
        return LevelTrack(levels, self._samples / SAMPLE_RATE)


def _levels(signal: NDArray[np.float32]) -> NDArray[np.uint8]:
    frames = signal.reshape(-1, FRAME_SAMPLES)
    mean = frames.mean(axis=1)  # a constant offset is no sound
    power = np.einsum("ij,ij->i", frames, frames) / FRAME_SAMPLES - mean * mean
    level = 10.0 * np.log10(np.maximum(power, 0.0) / 32768.0**2 + 1e-10)
    steps = np.clip(np.rint((level - _LEVEL_ZERO) / _LEVEL_STEP), 0, 255)
    coded: NDArray[np.uint8] = steps.astype(np.uint8)
    return coded


def speech_spans(track: LevelTrack) -> tuple[tuple[float, float], ...]:
    """Give the (start, end) seconds that are not silent: in order, apart, within the track."""
    if track.levels.shape[1] == 0:
        return ()
    spoken = np.zeros(track.levels.shape[1], dtype=np.bool_)
    for level in track.decibels():
        smooth = _smooth(level)
        start_at, stay_at = _thresholds(smooth)
        runs = _runs(smooth >= stay_at)
        started = np.concatenate(([0], np.cumsum(smooth >= start_at)))
        for first, end in runs[started[runs[:, 1]] > started[runs[:, 0]]].tolist():
            spoken[first:end] = True
    return _padded(_runs(spoken), track.duration)


def _smooth(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the power of three frames, so that a single click or gap does not count."""
    power = np.power(np.float32(10.0), level / np.float32(10.0))
    padded = np.pad(power, 1, mode="edge")
    mean = (padded[:-2] + padded[1:-1] + padded[2:]) / np.float32(3.0)
    smooth: NDArray[np.float32] = np.float32(10.0) * np.log10(mean)
    return smooth


def _thresholds(
    level: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give, for each frame, the level that starts speech and the one that keeps it going."""
    low, high = _surroundings(level)
    contrast = high - low
    start_at = low + np.minimum(8.0, 0.4 * contrast)
    stay_at = low + np.minimum(4.0, 0.2 * contrast)
    flat = contrast < _FLAT_DB
    quiet = high < np.percentile(high, 95) - _FAR_BELOW_DB
    start_at = np.where(flat, np.where(quiet, np.inf, _SILENCE_DB), start_at)
    stay_at = np.where(flat, np.where(quiet, np.inf, _SILENCE_DB), stay_at)
    frames = len(level)
    return (
        np.repeat(np.maximum(start_at, _SILENCE_DB), _BLOCK_FRAMES)[:frames].astype(np.float32),
        np.repeat(np.maximum(stay_at, _SILENCE_DB), _BLOCK_FRAMES)[:frames].astype(np.float32),
    )


def _surroundings(
    level: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give, for each second, the noise floor and the level of what is loud around it."""
    blocks = -(-len(level) // _BLOCK_FRAMES)
    audible = np.where(level > _SILENCE_DB, level, np.nan)
    padded = np.full(blocks * _BLOCK_FRAMES, np.nan, dtype=np.float32)
    padded[: len(level)] = audible
    rows = np.sort(padded.reshape(blocks, _BLOCK_FRAMES), axis=1)  # nan sorts last
    counts = np.count_nonzero(~np.isnan(rows), axis=1)
    index = np.arange(blocks)
    low = rows[index, np.minimum(counts // 10, _BLOCK_FRAMES - 1)]
    high = rows[index, np.maximum(counts - 1 - counts // 20, 0)]
    return _sliding(low, 10), _sliding(high, 90)


def _sliding(values: NDArray[np.float32], percent: int) -> NDArray[np.float64]:
    """Give a percentile of the values around each; silent stretches (nan) do not count."""
    filled = np.pad(values, _CONTEXT_BLOCKS, constant_values=np.nan)
    windows = np.sort(
        np.lib.stride_tricks.sliding_window_view(filled, 2 * _CONTEXT_BLOCKS + 1), axis=1
    )
    counts = np.count_nonzero(~np.isnan(windows), axis=1)
    picked = windows[np.arange(len(values)), np.maximum(counts - 1, 0) * percent // 100]
    return np.where(np.isnan(picked), _SILENCE_DB, picked).astype(np.float64)


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give (first, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return edges.reshape(-1, 2)


def _padded(runs: NDArray[np.int64], duration: float) -> tuple[tuple[float, float], ...]:
    spans: list[tuple[float, float]] = []
    for first, end in runs.tolist():
        start = max(0.0, round(first * FRAME_SECONDS - PAD_BEFORE_SECONDS, 2))
        stop = min(duration, round(end * FRAME_SECONDS + PAD_AFTER_SECONDS, 2))
        if spans and start - spans[-1][1] < MIN_GAP_SECONDS:
            spans[-1] = (spans[-1][0], stop)
        elif stop > start:
            spans.append((start, stop))
    return tuple(spans)

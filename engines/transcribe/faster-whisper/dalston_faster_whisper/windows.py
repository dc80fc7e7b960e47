"""Which stretches of speech are decoded at once: cut in silences, about as long as is cheapest.

The encoder's time grows faster than a window's length, each window costs something of its own, and a
cut in a short pause may part a sentence: the plan with the least sum is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf

from dalston_faster_whisper.request import Span

PAD_SECONDS = 0.4
"""Silence kept before and after the speech of a window, where there is so much."""

MAX_SECONDS = 29.0
"""The model hears 30 s; a little silence behind the speech ends the text properly."""

_CUT_WEIGHT = 1.5
_CUT_SECONDS = 0.35
"""What a cut costs, in windows, and how fast that falls with the length of the silence."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the audio, in seconds, with the spans of speech in it."""

    start: float
    end: float
    spans: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def plan_windows(spans: Sequence[Span], *, duration: float, target: float) -> list[Window]:
    """Group spans of speech (in order, apart) into windows of about `target` seconds."""
    groups = _cheapest_groups(spans, target)
    windows: list[Window] = []
    for first, end in groups:
        before = spans[first - 1][1] if first else -2 * PAD_SECONDS
        after = spans[end][0] if end < len(spans) else duration + 2 * PAD_SECONDS
        start = max(0.0, spans[first][0] - PAD_SECONDS, (before + spans[first][0]) / 2)
        stop = min(duration, spans[end - 1][1] + PAD_SECONDS, (spans[end - 1][1] + after) / 2)
        windows.append(Window(start, stop, tuple(spans[first:end])))
    return windows


def _cheapest_groups(spans: Sequence[Span], target: float) -> list[tuple[int, int]]:
    costs = [0.0] + [inf] * len(spans)
    firsts = [0] * (len(spans) + 1)
    for end in range(1, len(spans) + 1):
        cut = _cut_cost(spans, end)
        for first in range(end - 1, -1, -1):
            seconds = spans[end - 1][1] - spans[first][0] + 2 * PAD_SECONDS
            if seconds > MAX_SECONDS and first < end - 1:
                break
            cost = costs[first] + 1.0 + (seconds / target) ** 2 + cut
            if cost < costs[end]:
                costs[end], firsts[end] = cost, first
    bounds = [len(spans)]
    while bounds[-1] > 0:
        bounds.append(firsts[bounds[-1]])
    return list(pairwise(reversed(bounds)))


def _cut_cost(spans: Sequence[Span], end: int) -> float:
    if end == len(spans):
        return 0.0
    return _CUT_WEIGHT * exp(-(spans[end][0] - spans[end - 1][1]) / _CUT_SECONDS)


def batches(windows: Sequence[Window], *, rows: int, parallel: int) -> list[list[int]]:
    """Give the indices of the windows in batches of like lengths, the longest first.

    A batch is padded to its longest window; with fewer windows than `parallel` full batches, all
    threads get their share.
    """
    if not windows:
        return []
    size = min(rows, -(-len(windows) // parallel))
    order = sorted(range(len(windows)), key=lambda index: -windows[index].seconds)
    return [order[at : at + size] for at in range(0, len(order), size)]

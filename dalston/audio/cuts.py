"""Where a long track is cut into parts: in the middle of silences, never inside speech.

A part is about as long as asked, at least a quarter and at most twice that. Only where there is no
silence at all within twice the length is a cut forced, at the quietest moment, and reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dalston.audio.activity import FRAME_SECONDS, LevelTrack

Span = tuple[float, float]

SPLIT_ABOVE = 1.5
"""Tracks up to this many times the part length stay whole."""

NEAR = 0.2
WIDE = 0.5
LONGEST = 2.0
SHORTEST = 0.25
"""Shares of the part length: where a cut is looked for first, then, and at the latest; how short a part
may be."""

MIN_SILENCE_SECONDS = 0.2
ENOUGH_SILENCE_SECONDS = 2.0
"""Longer silences are no better to cut in: the nearest to the target wins among them."""

_QUIET_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The parts of a track, which cover it, and the cuts that are not in a silence."""

    parts: tuple[Span, ...]
    forced: tuple[float, ...] = ()


def plan_parts(
    levels: LevelTrack, speech: Sequence[Span], *, part_seconds: float, max_parts: int = 1024
) -> PartPlan:
    """Divide a track into parts of about `part_seconds`, cut in the silences between `speech`.

    Parts are made longer where there would be more than `max_parts`.
    """
    plan = _plan(levels, speech, part_seconds)
    while len(plan.parts) > max_parts:
        part_seconds *= 1.5
        plan = _plan(levels, speech, part_seconds)
    return plan


def _plan(levels: LevelTrack, speech: Sequence[Span], part_seconds: float) -> PartPlan:
    duration = levels.duration
    silences = silences_between(speech, duration)
    cuts: list[float] = []
    forced: list[float] = []
    position = 0.0
    while duration - position > SPLIT_ABOVE * part_seconds:
        cut = _in_silence(silences, position, duration=duration, part_seconds=part_seconds)
        if cut is None:
            if duration - position <= LONGEST * part_seconds:
                break
            latest = min(position + LONGEST * part_seconds, duration - SHORTEST * part_seconds)
            cut = _quietest(levels, position + part_seconds, latest)
            forced.append(cut)
        cuts.append(cut)
        position = cut
    edges = [0.0, *cuts, duration]
    return PartPlan(tuple(zip(edges[:-1], edges[1:], strict=True)), tuple(forced))


def silences_between(speech: Sequence[Span], duration: float) -> list[Span]:
    """Give what lies between the speech: before it, after it, and all of a silent track."""
    edges = [0.0, *(edge for span in speech for edge in span), duration]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(start, end) for start, end in pairs if end - start >= MIN_SILENCE_SECONDS]


def _in_silence(
    silences: Sequence[Span], position: float, *, duration: float, part_seconds: float
) -> float | None:
    """Choose the next cut after `position`, or None when there is no silence to cut in."""
    remaining = duration - position
    target = position + remaining / max(2, round(remaining / part_seconds))
    earliest = position + SHORTEST * part_seconds
    latest = min(position + LONGEST * part_seconds, duration - SHORTEST * part_seconds)
    for start, end in (
        (target - NEAR * part_seconds, target + NEAR * part_seconds),
        (target - WIDE * part_seconds, target + WIDE * part_seconds),
        (target, latest),
    ):
        window = (max(start, earliest), min(end, latest))
        found = _best(silences, window, target)
        if found is not None:
            return found
    return None


def _best(silences: Sequence[Span], window: Span, target: float) -> float | None:
    best: tuple[float, float] | None = None
    for start, end in silences:
        start, end = max(start, window[0]), min(end, window[1])
        if end - start < MIN_SILENCE_SECONDS:
            continue
        middle = (start + end) / 2
        if end - start > ENOUGH_SILENCE_SECONDS:
            margin = ENOUGH_SILENCE_SECONDS / 2
            middle = min(max(target, start + margin), end - margin)
        rank = (min(end - start, ENOUGH_SILENCE_SECONDS), -abs(middle - target))
        if best is None or rank > best:
            best, cut = rank, middle
    return None if best is None else round(cut, 2)


def _quietest(levels: LevelTrack, start: float, end: float) -> float:
    """Give the middle of the quietest half second between two times."""
    first, last = int(start / FRAME_SECONDS), int(end / FRAME_SECONDS)
    width = int(_QUIET_SECONDS / FRAME_SECONDS)
    window = levels.levels[:, first:last].sum(axis=0, dtype=np.float64)
    if len(window) <= width:
        return round((start + end) / 2, 2)
    sums = np.convolve(window, np.ones(width), mode="valid")
    return round((first + int(np.argmin(sums)) + width / 2) * FRAME_SECONDS, 2)

"""Cuts never fall inside speech, parts cover their track, and no part is out of bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalston.audio import LevelTrack, plan_parts
from dalston.audio.cuts import LONGEST, SHORTEST, SPLIT_ABOVE, silences_between

PART = 60.0


def track(duration: float) -> LevelTrack:
    return LevelTrack(np.full((2, round(duration * 100)), 80, dtype=np.uint8), duration)


@st.composite
def speech(draw: st.DrawFn) -> tuple[float, list[tuple[float, float]]]:
    """A track of up to half an hour: stretches of speech and of silence in turn."""
    talk = st.floats(0.3, 200.0)
    pause = st.floats(0.05, 30.0)
    steps = draw(st.lists(st.tuples(pause, talk), min_size=1, max_size=40))
    at, spans = 0.0, []
    for silent, spoken in steps:
        start = round(at + silent, 2)
        at = round(start + spoken, 2)
        spans.append((start, at))
    return round(at + draw(pause), 2), spans


@given(speech(), st.integers(5, 1024))
def test_parts_cover_the_track(recording: tuple[float, list], max_parts: int) -> None:
    duration, spans = recording
    parts = plan_parts(track(duration), spans, part_seconds=PART, max_parts=max_parts).parts
    assert parts[0][0] == 0.0
    assert parts[-1][1] == duration
    assert all(before[1] == after[0] for before, after in zip(parts, parts[1:], strict=False))
    assert len(parts) <= max_parts


@given(speech())
def test_cuts_fall_into_silence_unless_there_is_none(recording: tuple[float, list]) -> None:
    duration, spans = recording
    plan = plan_parts(track(duration), spans, part_seconds=PART)
    for start, cut in plan.parts[:-1]:
        if cut in plan.forced:
            last = min(start + LONGEST * PART, duration - SHORTEST * PART)
            middle = (start + PART, last)
            wide = [s for s in silences_between(spans, duration) if s[1] - s[0] > 0.3]
            assert not any(a < middle[1] - 0.3 and b > middle[0] + 0.3 for a, b in wide)
        else:
            assert not any(a < cut < b for a, b in spans)


@given(speech())
def test_part_lengths_are_bounded(recording: tuple[float, list]) -> None:
    duration, spans = recording
    parts = plan_parts(track(duration), spans, part_seconds=PART).parts
    if len(parts) > 1:
        lengths = [end - start for start, end in parts]
        assert max(lengths) <= LONGEST * PART + 0.011
        assert min(lengths) >= SHORTEST * PART - 0.011


@given(st.floats(0.1, SPLIT_ABOVE * PART))
def test_short_tracks_stay_whole(duration: float) -> None:
    assert plan_parts(track(duration), (), part_seconds=PART).parts == ((0.0, duration),)


def test_the_longest_silence_near_the_target_wins() -> None:
    spans = [(0.0, 55.0), (55.3, 63.0), (64.2, 120.0)]
    plan = plan_parts(track(120.0), spans, part_seconds=PART)
    assert plan.parts == ((0.0, 63.6), (63.6, 120.0))


def test_without_silence_the_quietest_moment_is_cut_and_reported() -> None:
    levels = np.full((2, 20_000), 150, dtype=np.uint8)
    levels[:, 9_000:9_060] = 120
    plan = plan_parts(LevelTrack(levels, 200.0), [(0.0, 200.0)], part_seconds=PART)
    assert plan.forced[0] == pytest.approx(90.3, abs=0.06)
    assert plan.parts[0] == (0.0, plan.forced[0])

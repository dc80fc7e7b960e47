"""Speech is found in recordings whose pauses are known, clean and noisy."""

import numpy as np
import pytest

from dalston.audio import ActivityMeter, LevelTrack, pcm_to_float, speech_spans
from tests import media
from tests.media import RATE, Pcm
from tests.recordings import Recording


def measured(pcm: Pcm, *, block: int = 65_536) -> LevelTrack:
    meter = ActivityMeter()
    for start in range(0, pcm.shape[1], block):
        meter.feed(pcm[0, start : start + block])
    return meter.finish()


def silent_seconds(spans: tuple[tuple[float, float], ...], start: float, end: float) -> float:
    return (end - start) - sum(max(0.0, min(b, end) - max(a, start)) for a, b in spans)


def loud_moments(pcm: Pcm, *, below_peak: float) -> np.ndarray:
    """Seconds at which the clean signal is at most so many decibels below its loudest."""
    frames = pcm_to_float(pcm[0, : pcm.shape[1] // 480 * 480]).reshape(-1, 480)
    power = (frames**2).mean(axis=1)
    return np.flatnonzero(power > power.max() * 10 ** (-below_peak / 10)) * 0.03 + 0.015


@pytest.mark.parametrize(("snr", "below_peak"), [(60, 32), (25, 25), (15, 18), (8, 10)])
def test_speech_is_never_called_silent(
    conversation: Recording, snr: float, below_peak: float
) -> None:
    clean = media.decode(conversation.path)
    level = float(np.sqrt((pcm_to_float(clean) ** 2).mean())) * 10 ** (-snr / 20)
    hiss = media.noise(clean.shape[1] / RATE, level=level)
    noisy = np.clip(clean.astype(np.int32) + hiss, -32768, 32767).astype(np.int16)
    assert_covered(speech_spans(measured(noisy)), loud_moments(clean, below_peak=below_peak))


def test_speech_is_found_in_a_very_quiet_recording(conversation: Recording) -> None:
    clean = media.decode(conversation.path)
    spans = speech_spans(measured((clean * 0.01).astype(np.int16)))
    assert_covered(spans, loud_moments(clean, below_peak=25))
    assert len(spans) > 3


def assert_covered(spans: tuple[tuple[float, float], ...], moments: np.ndarray) -> None:
    starts = np.array([start for start, _ in spans])
    ends = np.array([end for _, end in spans])
    for moment in moments:
        assert ((starts <= moment) & (moment <= ends)).any(), moment


@pytest.mark.parametrize("level", [0.0, 0.0005, 0.003])
def test_pauses_between_turns_are_found(conversation: Recording, level: float) -> None:
    clean = media.decode(conversation.path)
    noisy = clean + media.noise(clean.shape[1] / RATE, level=level)
    spans = speech_spans(measured(noisy))
    turns = conversation.turns
    long_pauses = [
        (before.end, after.start)
        for before, after in zip(turns[:-1], turns[1:], strict=True)
        if after.start - before.end > 0.75
    ]
    assert long_pauses
    for start, end in long_pauses:
        assert silent_seconds(spans, start, end) > 0.15, (start, end)


def test_silence_has_no_speech() -> None:
    assert speech_spans(measured(media.silence(3.0))) == ()


def test_nothing_has_no_speech() -> None:
    assert speech_spans(ActivityMeter().finish()) == ()


def test_steady_sound_counts_as_speech() -> None:
    spans = speech_spans(measured(media.tone(20.0)))
    assert silent_seconds(spans, 0.0, 20.0) < 0.05


def test_faint_hiss_far_below_the_speech_is_silent(conversation: Recording) -> None:
    clean = media.decode(conversation.path)
    hiss = media.noise(120.0, level=0.0004)
    spans = speech_spans(measured(np.concatenate((clean, hiss), axis=1)))
    end = conversation.duration
    assert silent_seconds(spans, end + 21, end + 119) > 90


def test_levels_do_not_depend_on_the_blocks(conversation: Recording) -> None:
    clean = media.decode(conversation.path)[:, : RATE * 5 + 77]
    whole, pieces = measured(clean, block=10**9), measured(clean, block=333)
    assert np.array_equal(whole.levels, pieces.levels)
    assert whole.duration == pieces.duration == pytest.approx(5 + 77 / RATE)


def test_spans_lie_apart_and_inside_the_track(conversation: Recording) -> None:
    track = measured(media.decode(conversation.path))
    edges = [edge for span in speech_spans(track) for edge in span]
    assert edges == sorted(set(edges))
    assert edges[0] >= 0
    assert edges[-1] <= track.duration

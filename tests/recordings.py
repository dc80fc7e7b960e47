"""Longer recordings joined from clips, so that who speaks when is known to the sample.

Everything is deterministic; what takes long to make is kept in the cache folder.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from tests import media
from tests.media import RATE, Pcm
from tests.speech import MADE, Sample, recorded_english, samples

_PAUSES = (0.6, 1.1, 0.4, 0.8, 1.5, 0.7)
"""Seconds between clips, in turn: as long as those of people who read aloud."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One clip inside a recording: `start` and `end` in seconds, `channel` from 0."""

    start: float
    end: float
    speaker: str
    text: str
    channel: int = 0


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A file and what is said in it. `duration` is in seconds."""

    path: Path
    duration: float
    turns: tuple[Turn, ...]

    @property
    def text(self) -> str:
        """All that is said, in order."""
        return " ".join(turn.text for turn in self.turns)


def joined(clips: Iterable[Sample], *, pauses: Sequence[float] = _PAUSES) -> Recording:
    """A mono recording of the clips in order, a pause before, between and after them."""
    turns: list[Turn] = []
    at = 0.0
    gaps = cycle(pauses)
    chosen = list(clips)
    for clip in chosen:
        turns.append(_turn(clip, at=at + next(gaps)))
        at = turns[-1].end
    return _laid_out(chosen, turns, seconds=at + next(gaps))


def long_recording(seconds: float) -> Recording:
    """Recorded English speech, exactly so long: clips repeat, the rest is silence."""
    turns: list[Turn] = []
    chosen: list[Sample] = []
    at = 0.0
    for clip, pause in zip(cycle(recorded_english()), cycle(_PAUSES), strict=False):
        turn = _turn(clip, at=at + pause)
        if turn.end > seconds:
            break
        chosen.append(clip)
        turns.append(turn)
        at = turn.end
    return _laid_out(chosen, turns, seconds=seconds)


def conversation(*, channels: int = 1, pauses: Sequence[float] = _PAUSES) -> Recording:
    """Two readers who take turns, about 43 s; with two channels, one reader on each."""
    reader = [clip for clip in samples().values() if clip.speaker == "librivox"]
    other = [clip for clip in samples().values() if clip.speaker == "cards"]
    chosen = [clip for pair in zip(reader, other, strict=True) for clip in pair]
    turns: list[Turn] = []
    at = 0.0
    for index, (clip, pause) in enumerate(zip(chosen, cycle(pauses), strict=False)):
        turns.append(_turn(clip, at=at + pause, channel=index % channels))
        at = turns[-1].end
    return _laid_out(chosen, turns, seconds=at + pauses[0], channels=channels)


def _turn(clip: Sample, *, at: float, channel: int = 0) -> Turn:
    start = round(at * RATE) / RATE
    end = start + round(clip.duration * RATE) / RATE
    return Turn(start=start, end=end, speaker=clip.speaker, text=clip.text, channel=channel)


def _laid_out(
    clips: Sequence[Sample], turns: Sequence[Turn], *, seconds: float, channels: int = 1
) -> Recording:
    names = [clip.name for clip in clips]
    key = hashlib.sha256(repr((names, turns, seconds, channels)).encode()).hexdigest()[:16]
    path = MADE / f"joined-{key}.wav"
    if not path.exists():
        pcm = media.silence(seconds, channels=channels)
        for clip, turn in zip(clips, turns, strict=True):
            _lay(_decoded(clip), into=pcm[turn.channel], at=round(turn.start * RATE))
        fresh = MADE / f"new-{os.getpid()}-{key}.wav"
        media.write(pcm, fresh).replace(path)
    return Recording(path=path, duration=seconds, turns=tuple(turns))


def _lay(clip: Pcm, *, into: Pcm, at: int) -> None:
    length = min(clip.shape[-1], into.shape[-1] - at)
    into[at : at + length] = clip[0, :length]


def _decoded(clip: Sample) -> Pcm:
    """The clip at a third of full scale or its own level, whichever is louder: no clip is lost."""
    pcm = media.decode(clip.path)
    peak = int(np.abs(pcm.astype(np.int32)).max())
    if 0 < peak < 11_000:
        pcm = (pcm * (11_000 / peak)).astype(np.int16)
    return pcm

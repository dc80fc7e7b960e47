"""Audio and video files made with PyAV: any container that tests upload, and faulty ones.

Sound is `Pcm` throughout: int16, one row a channel, at `RATE` samples a second.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

RATE = 16_000
Pcm = npt.NDArray[np.int16]


class Format(NamedTuple):
    """How a suffix is written; a `video` codec puts a moving picture beside the sound."""

    codec: str
    sample_format: str
    rate: int = RATE
    video: str | None = None


FORMATS: dict[str, Format] = {
    ".wav": Format("pcm_s16le", "s16"),
    ".flac": Format("flac", "s16"),
    ".mp3": Format("libmp3lame", "s16p"),
    ".ogg": Format("libopus", "s16", 48_000),
    ".opus": Format("libopus", "s16", 48_000),
    ".webm": Format("libopus", "s16", 48_000),
    ".m4a": Format("aac", "fltp", 44_100),
    ".mp4": Format("aac", "fltp", 44_100, video="mpeg4"),
    ".mkv": Format("libopus", "s16", 48_000, video="mpeg4"),
    ".mov": Format("aac", "fltp", 44_100, video="mpeg4"),
    ".avi": Format("libmp3lame", "s16p", 44_100, video="mpeg4"),
}


def silence(seconds: float, *, channels: int = 1) -> Pcm:
    """Digital silence."""
    return np.zeros((channels, round(seconds * RATE)), dtype=np.int16)


def noise(seconds: float, *, level: float = 0.05, seed: int = 0) -> Pcm:
    """White noise of standard deviation `level` (of full scale)."""
    drawn = np.random.default_rng(seed).normal(0.0, level, (1, round(seconds * RATE)))
    return (np.clip(drawn, -1.0, 1.0) * 32_767).astype(np.int16)


def tone(seconds: float, *, hertz: float = 440.0, level: float = 0.3) -> Pcm:
    """A sine."""
    moments = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * hertz * moments) * level * 32_767).astype(np.int16)[None]


def decode(path: Path, *, channels: int = 1) -> Pcm:
    """The first audio stream, resampled to `RATE`."""
    layout = {1: "mono", 2: "stereo"}[channels]
    resampler = av.AudioResampler(format="s16p", layout=layout, rate=RATE)
    with av.open(str(path)) as container:
        frames = [*container.decode(audio=0), None]
        rows = [part.to_ndarray() for frame in frames for part in resampler.resample(frame)]
    return np.concatenate(rows, axis=1).astype(np.int16, copy=False)


def write(pcm: Pcm, path: Path) -> Path:
    """Encodes the sound in the format of the path's suffix (`FORMATS`); returns the path."""
    return _mux(pcm, path, FORMATS[path.suffix])


def write_telephone(pcm: Pcm, path: Path) -> Path:
    """Encodes the sound as a telephone line does: wav, 8 kHz, mu-law."""
    return _mux(pcm, path, Format("pcm_mulaw", "s16", 8_000))


def write_silent_video(path: Path, *, seconds: float = 1.0) -> Path:
    """A video file that has no audio stream."""
    with av.open(str(path), "w") as container:
        _write_picture(container, codec="mpeg4", seconds=seconds)
    return path


def _mux(pcm: Pcm, path: Path, form: Format) -> Path:
    layout = {1: "mono", 2: "stereo"}[len(pcm)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(form.codec, rate=form.rate)
        stream.codec_context.layout = layout
        stream.codec_context.format = form.sample_format
        if form.video is not None:
            _write_picture(container, codec=form.video, seconds=pcm.shape[1] / RATE)
        resampler = av.AudioResampler(format=form.sample_format, layout=layout, rate=form.rate)
        for frame in _frames(pcm, layout):
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        for part in resampler.resample(None):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def _frames(pcm: Pcm, layout: str) -> Iterator[av.AudioFrame]:
    for start in range(0, pcm.shape[1], RATE):
        rows = np.ascontiguousarray(pcm[:, start : start + RATE])
        frame = av.AudioFrame.from_ndarray(rows, format="s16p", layout=layout)
        frame.sample_rate = RATE
        frame.pts = start
        yield frame


def _write_picture(container: Any, *, codec: str, seconds: float) -> None:
    """Grey that brightens, five small frames a second."""
    stream = container.add_stream(codec, rate=5)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for index in range(max(1, round(seconds * 5))):
        grey = np.full((48, 64, 3), index % 256, dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
    container.mux(stream.encode(None))

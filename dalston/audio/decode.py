"""Decoding as a stream: any container and codec in, blocks of 16 kHz 16-bit PCM out.

Memory does not grow with the recording. Damaged packets are skipped and counted; what can be decoded
of a file that was cut off is decoded, and `warnings()` says what is missing. Where the time stamps of
a stream leap (a paused recorder, lost packets), silence fills the gap, so that times stay true.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from dalston.audio.errors import EmptyAudio, TooManyChannels, UndecodableAudio
from dalston.audio.pcm import PCM_DTYPE, SAMPLE_BYTES, SAMPLE_RATE
from dalston.audio.probe import Probe, codec_context, describe, no_audio, open_container

BATCH_SAMPLES = 65_536
"""Samples resampled at once: a call costs as much for 1,000 samples as for 50,000."""

PCM_BLOCK_BYTES = 1 << 20

MIN_GAP_SECONDS = 0.2
MAX_GAP_SECONDS = 600.0
"""Smaller leaps of the time stamps are jitter, larger ones a clock that was set."""

Block = NDArray[np.int16]
"""(tracks, samples) of 16 kHz PCM."""

_LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")
_LENGTH_TAG_REACH = 1 << 16


class AudioDecoder(ABC):
    """A recording that is being decoded; `probe` is what its header says."""

    probe: Probe
    tracks: int
    """Rows of each block: 1, or the number of channels when they are kept apart."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Give the audio from start to end, once; raises UndecodableAudio when there is none."""

    @abstractmethod
    def warnings(self) -> tuple[str, ...]:
        """Tell, after the last block, what is missing of the recording."""


class _ContainerDecoder(AudioDecoder):
    def __init__(self, container: InputContainer, *, path: Path, split: bool) -> None:
        self.probe = describe(container)
        if not self.probe.has_audio:
            raise no_audio(self.probe)
        stream = container.streams.audio[0]
        if codec_context(stream) is None or self.probe.channels < 1:
            raise UndecodableAudio(
                f"The audio in this {self.probe.container} file is in a codec that cannot be read. "
                "Convert it to WAV, FLAC, MP3 or AAC."
            )
        self.tracks = self.probe.channels if split else 1
        self._container = container
        self._stream: AudioStream = stream
        self._path = path
        self._damaged = 0
        self._samples = 0

    def blocks(self) -> Iterator[Block]:
        for block in self._resampled():
            if block.shape[1]:
                self._samples += block.shape[1]
                yield block
        if self._samples == 0:
            raise UndecodableAudio(
                f"No audio could be decoded from this {self.probe.container} file "
                f"({self.probe.codec}): it is damaged or cut off. Send the whole file."
            )

    def warnings(self) -> tuple[str, ...]:
        decoded = self._samples / SAMPLE_RATE
        declared = self._declared_seconds()
        if declared is not None and declared - decoded > max(0.5, 0.01 * declared):
            return (
                f"The recording ends after {decoded:.1f} s although its header promises "
                f"{declared:.1f} s: the file was cut off or is damaged.",
            )
        if self._damaged:
            return (f"{self._damaged} damaged pieces of the recording were skipped.",)
        return ()

    def _declared_seconds(self) -> float | None:
        """Give the length that the header states; None where ffmpeg only estimates it."""
        stream = self._stream
        if not stream.duration or not stream.time_base or self.probe.container == "aac":
            return None
        if self.probe.container == "mp3":
            with self._path.open("rb") as file:
                head = file.read(_LENGTH_TAG_REACH)
            if not any(tag in head for tag in _LENGTH_TAGS):
                return None
        return float(stream.duration * stream.time_base)

    def _frames(self) -> Iterator[AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._damaged += 1
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self._damaged += 1
                continue
            yield from frames

    def _resampled(self) -> Iterator[Block]:
        shape: tuple[str, str, int] | None = None
        fifo = av.AudioFifo()
        resampler = _Resampler("mono", tracks=self.tracks)
        expected: float | None = None
        for frame in self._frames():
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            gap = _gap(frame, expected)
            if found != shape or gap:
                yield from _drain(fifo, resampler)
                yield from _silence(gap, tracks=self.tracks)
                shape, fifo = found, av.AudioFifo()
                resampler = _Resampler(frame.layout.name, tracks=self.tracks)
            expected = (
                None if frame.time is None else frame.time + frame.samples / frame.sample_rate
            )
            frame.pts = None
            fifo.write(frame)
            if fifo.samples >= BATCH_SAMPLES:
                yield from resampler.convert(fifo.read())
        yield from _drain(fifo, resampler)


def _gap(frame: AudioFrame, expected: float | None) -> float:
    """Give the seconds that are missing before a frame, 0 when it follows the last one."""
    if expected is None or frame.time is None:
        return 0.0
    gap = float(frame.time - expected)
    return gap if MIN_GAP_SECONDS < gap < MAX_GAP_SECONDS else 0.0


def _silence(seconds: float, *, tracks: int) -> Iterator[Block]:
    left = round(seconds * SAMPLE_RATE)
    while left > 0:
        samples = min(left, BATCH_SAMPLES)
        yield np.zeros((tracks, samples), dtype=PCM_DTYPE)
        left -= samples


def _drain(fifo: av.AudioFifo, resampler: "_Resampler") -> Iterator[Block]:
    if fifo.samples_written == 0:
        return
    if fifo.samples:
        yield from resampler.convert(fifo.read())
    yield from resampler.convert(None)


class _Resampler:
    """Converts frames of one layout to blocks of `tracks` rows."""

    def __init__(self, layout: str, *, tracks: int) -> None:
        # ffmpeg takes "3 channels" for 2.1 and drops what it takes for the bass: such are mixed here.
        discrete = layout.endswith("channels") and layout != "2 channels"
        self._tracks = tracks
        self._layout = "mono" if tracks == 1 and not discrete else layout
        # Packed: PyAV reads past its array of planes when a planar frame has 8 channels or more.
        self._resampler = av.AudioResampler(format="s16", layout=self._layout, rate=SAMPLE_RATE)

    def convert(self, frame: AudioFrame | None) -> Iterator[Block]:
        for converted in self._resampler.resample(frame):
            channels = converted.layout.nb_channels
            packed = converted.to_ndarray().astype(PCM_DTYPE, copy=False)
            yield _fit_tracks(packed.reshape(-1, channels), self._tracks)


def _fit_tracks(packed: NDArray[np.int16], tracks: int) -> Block:
    channels = packed.shape[1]
    if channels == tracks:
        return packed.T
    if tracks == 1:
        mixed: Block = packed.mean(axis=1, dtype=np.float32).astype(PCM_DTYPE)[np.newaxis]
        return mixed
    # A stream whose channel count changes on the way keeps the tracks that it began with.
    fitted = np.zeros((tracks, packed.shape[0]), dtype=PCM_DTYPE)
    kept = min(tracks, channels)
    fitted[:kept] = packed.T[:kept]
    return fitted


class _PcmReader(AudioDecoder):
    """Headerless 16-bit little-endian mono PCM at 16 kHz: every file is such, if only by its name."""

    tracks = 1

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size
        if size == 0:
            raise EmptyAudio("The file is empty. Send 16-bit PCM at 16 kHz, mono.")
        self._path = path
        self._odd = size % SAMPLE_BYTES == 1
        self.probe = Probe(
            container="pcm",
            codec="pcm_s16le",
            sample_rate=SAMPLE_RATE,
            channels=1,
            duration=size // SAMPLE_BYTES / SAMPLE_RATE,
            has_audio=True,
        )

    def blocks(self) -> Iterator[Block]:
        with self._path.open("rb") as file:
            while data := file.read(PCM_BLOCK_BYTES):
                samples = len(data) // SAMPLE_BYTES
                if samples:
                    yield np.frombuffer(data, dtype=PCM_DTYPE, count=samples)[np.newaxis]

    def warnings(self) -> tuple[str, ...]:
        if self._odd:
            return ("The last sample of the PCM is cut in half and was left out.",)
        return ()


@contextmanager
def open_decoder(
    path: Path, *, split_channels: bool = False, max_channels: int = 5, raw_pcm: bool = False
) -> Iterator[AudioDecoder]:
    """Open a recording for decoding: mixed to mono, or one track a channel with `split_channels`.

    With `raw_pcm` the file is headerless pcm_s16le, 16 kHz, mono. Raises the typed errors of
    `dalston.audio.errors` when the recording has no audio, too many channels to split, or cannot
    be read.
    """
    if raw_pcm:
        yield _PcmReader(path)
        return
    with open_container(path) as container:
        decoder = _ContainerDecoder(container, path=path, split=split_channels)
        if decoder.tracks > max_channels:
            raise TooManyChannels(
                f"The recording has {decoder.tracks} channels; at most {max_channels} are "
                "transcribed one by one. Mix it down, or ask for one transcript of all channels."
            )
        yield decoder

"""WAV files of 16 kHz mono 16-bit PCM: written as a stream, read by time.

Files that Dalston writes have a header of exactly `WAV_HEADER_BYTES` and nothing after the samples,
so that a stretch of time is a range of bytes (`byte_range`) in a store that serves ranges.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from dalston.audio.errors import UndecodableAudio
from dalston.audio.pcm import PCM_DTYPE, SAMPLE_BYTES, SAMPLE_RATE, float_to_pcm, pcm_to_float

WAV_HEADER_BYTES = 44

MAX_WAV_DATA_BYTES = 2**32 - 1 - WAV_HEADER_BYTES
"""Sizes in a WAV header have 32 bits: 37 hours at 16 kHz mono."""

_PCM_FORMAT = 1
_EXTENSIBLE_FORMAT = 0xFFFE


def wav_header(data_bytes: int, *, sample_rate: int = SAMPLE_RATE, channels: int = 1) -> bytes:
    """Give the 44 bytes that precede `data_bytes` of 16-bit PCM; sizes beyond 4 GiB are capped."""
    size = min(data_bytes, MAX_WAV_DATA_BYTES)
    block = channels * SAMPLE_BYTES
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        WAV_HEADER_BYTES - 8 + size,
        b"WAVE",
        b"fmt ",
        16,
        _PCM_FORMAT,
        channels,
        sample_rate,
        sample_rate * block,
        block,
        SAMPLE_BYTES * 8,
        b"data",
        size,
    )


def byte_range(start: float, end: float) -> tuple[int, int]:
    """Give (offset, length) in bytes of a stretch of seconds in a WAV file that Dalston wrote.

    Neighbouring stretches share no sample and leave none out. The caller bounds `end` by the
    length of the file.
    """
    first, last = _sample(start), _sample(end)
    return WAV_HEADER_BYTES + first * SAMPLE_BYTES, max(0, last - first) * SAMPLE_BYTES


def _sample(seconds: float) -> int:
    return max(0, round(seconds * SAMPLE_RATE))


class WavWriter:
    """Writes a 16 kHz mono WAV file block by block; the header is completed on `close()`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("wb")
        self._bytes = 0
        self._file.write(wav_header(0))

    @property
    def seconds(self) -> float:
        """Seconds written so far."""
        return self._bytes / SAMPLE_BYTES / SAMPLE_RATE

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples."""
        data = np.ascontiguousarray(samples, dtype=PCM_DTYPE)
        self._file.write(data.data)
        self._bytes += data.nbytes

    def close(self) -> None:
        """Complete the header; a second call does nothing."""
        if self._file.closed:
            return
        try:
            self._file.seek(0)
            self._file.write(wav_header(self._bytes))
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class WavInfo:
    """What a WAV header says of 16-bit PCM; `data_offset` is the first byte of the samples."""

    sample_rate: int
    channels: int
    samples: int
    data_offset: int

    @property
    def duration(self) -> float:
        """Seconds of audio."""
        return self.samples / self.sample_rate


def wav_info(path: Path) -> WavInfo:
    """Read the header of a WAV file of 16-bit PCM; raises UndecodableAudio for anything else.

    `samples` counts those that are in the file, even when the header promises more.
    """
    with path.open("rb") as file:
        return _read_info(file, path.stat().st_size)


def _read_info(file: BinaryIO, file_bytes: int) -> WavInfo:
    if struct.unpack("<4s4x4s", file.read(12).ljust(12)) != (b"RIFF", b"WAVE"):
        raise UndecodableAudio("The file is not a WAV file; decode it first.")
    rate = channels = 0
    for name, offset, size in _chunks(file):
        if name == b"fmt ":
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", file.read(16).ljust(16))
            if kind not in (_PCM_FORMAT, _EXTENSIBLE_FORMAT) or bits != SAMPLE_BYTES * 8:
                raise UndecodableAudio("The WAV file holds no 16-bit PCM; decode it first.")
        elif name == b"data" and rate and channels:
            available = min(size, file_bytes - offset)
            return WavInfo(rate, channels, available // (SAMPLE_BYTES * channels), offset)
    raise UndecodableAudio("The WAV file has no samples: its header is damaged or cut off.")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    offset = 12
    while True:
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        yield name, offset + 8, size
        offset += 8 + size + size % 2


def read_wav(path: Path, *, start: float = 0.0, end: float | None = None) -> NDArray[np.float32]:
    """Read seconds `start` to `end` (default: all) of a 16 kHz mono WAV as float32 in [-1, 1).

    Only that stretch is read. What lies beyond the file is left out. Raises UndecodableAudio for
    files of another rate, channel count or sample format.
    """
    with path.open("rb") as file:
        info = _read_info(file, path.stat().st_size)
        if (info.sample_rate, info.channels) != (SAMPLE_RATE, 1):
            raise UndecodableAudio(
                f"The WAV file has {info.channels} channels at {info.sample_rate} Hz; "
                "decode it to 16 kHz mono first."
            )
        first = min(_sample(start), info.samples)
        last = info.samples if end is None else min(_sample(end), info.samples)
        file.seek(info.data_offset + first * SAMPLE_BYTES)
        return pcm_to_float(file.read(max(0, last - first) * SAMPLE_BYTES))


def write_wav(path: Path, samples: NDArray[np.floating | np.int16]) -> None:
    """Write samples (floats in [-1, 1], or 16-bit PCM) as a 16 kHz mono WAV file."""
    with WavWriter(path) as writer:
        is_pcm = np.issubdtype(samples.dtype, np.signedinteger)
        writer.write(samples.astype(PCM_DTYPE, copy=False) if is_pcm else float_to_pcm(samples))

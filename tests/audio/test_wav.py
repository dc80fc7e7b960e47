"""WAV files are written as streams and read by time."""

import wave
from pathlib import Path

import numpy as np
import pytest

from dalston.audio import (
    SAMPLE_RATE,
    WAV_HEADER_BYTES,
    UndecodableAudio,
    WavWriter,
    byte_range,
    float_to_pcm,
    pcm_to_float,
    read_wav,
    wav_info,
    write_wav,
)
from tests import media


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Two seconds in which each sample is its own number."""
    with WavWriter(tmp_path / "ramp.wav") as writer:
        writer.write(np.arange(20_000, dtype=np.int16))
        writer.write(np.arange(20_000, 32_000, dtype=np.int16))
    return writer.path


def test_written_files_are_read_by_others(ramp: Path) -> None:
    with wave.open(str(ramp)) as other:
        assert (other.getframerate(), other.getnchannels(), other.getsampwidth()) == (16_000, 1, 2)
        assert other.getnframes() == 32_000


def test_reading_gives_exactly_the_stretch(ramp: Path) -> None:
    samples = read_wav(ramp, start=0.5, end=0.75)
    assert samples.dtype == np.float32
    assert np.array_equal(np.rint(samples * 32_768), np.arange(8_000, 12_000))


def test_reading_stops_at_the_end(ramp: Path) -> None:
    assert len(read_wav(ramp)) == 32_000
    assert len(read_wav(ramp, start=1.5, end=99)) == 8_000
    assert len(read_wav(ramp, start=5)) == 0


def test_byte_ranges_of_neighbours_join(ramp: Path) -> None:
    data = ramp.read_bytes()
    pieces = b""
    for start, end in [(0.0, 0.33337), (0.33337, 1.01), (1.01, 2.0)]:
        offset, length = byte_range(start, end)
        pieces += data[offset : offset + length]
    assert pieces == data[WAV_HEADER_BYTES:]


def test_info_counts_the_samples_that_are_there(ramp: Path) -> None:
    ramp.write_bytes(ramp.read_bytes()[: WAV_HEADER_BYTES + 2 * SAMPLE_RATE])
    assert wav_info(ramp).duration == 1.0


def test_info_skips_other_chunks(tmp_path: Path) -> None:
    path = media.write(media.tone(0.5), tmp_path / "tone.wav")
    assert wav_info(path).samples == 8_000
    assert wav_info(path).data_offset > WAV_HEADER_BYTES


@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello, this is text" * 9, b"RIFF    WAVEfmt "])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.wav"
    path.write_bytes(content)
    with pytest.raises(UndecodableAudio):
        wav_info(path)


def test_another_rate_is_refused(tmp_path: Path) -> None:
    path = media.write_telephone(media.tone(0.5), tmp_path / "phone.wav")
    with pytest.raises(UndecodableAudio, match="decode it first"):
        read_wav(path)


def test_floats_and_pcm_convert_both_ways(tmp_path: Path) -> None:
    samples = np.array([0.0, 0.5, -0.5, 1.5, -1.5], dtype=np.float32)
    pcm = float_to_pcm(samples)
    assert pcm.tolist() == [0, 16384, -16384, 32767, -32768]
    assert pcm_to_float(pcm.tobytes() + b"x").tolist() == pytest.approx(
        [0, 0.5, -0.5, 32767 / 32768, -1]
    )
    write_wav(tmp_path / "f.wav", samples)
    write_wav(tmp_path / "i.wav", pcm)
    assert (tmp_path / "f.wav").read_bytes() == (tmp_path / "i.wav").read_bytes()

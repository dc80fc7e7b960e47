"""Whatever arrives is decoded to 16 kHz PCM, or refused with an error that says why."""

import resource
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from dalston.audio import (
    EmptyAudio,
    NoAudioStream,
    TooManyChannels,
    UndecodableAudio,
    open_decoder,
    probe,
)
from tests import media
from tests.media import FORMATS, RATE, Pcm
from tests.speech import Sample


def decoded(path: Path, **options: bool) -> tuple[Pcm, tuple[str, ...]]:
    with open_decoder(path, **options) as decoder:
        blocks = list(decoder.blocks())
        return np.concatenate(blocks, axis=1), decoder.warnings()


def loudness(row: np.ndarray) -> float:
    return float(np.sqrt((row.astype(np.float64) ** 2).mean()))


def write_pcm_wav(path: Path, rows: Pcm, *, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(rows))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(rows.T).tobytes())
    return path


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_every_container_is_decoded(tmp_path: Path, suffix: str) -> None:
    path = media.write(media.tone(3.0), tmp_path / f"tone{suffix}")
    samples, warnings = decoded(path)
    assert samples.shape[0] == 1
    assert samples.shape[1] / RATE == pytest.approx(3.0, abs=0.12)
    assert loudness(samples[0]) == pytest.approx(loudness(media.tone(1.0)[0]), rel=0.1)
    assert warnings == ()


def test_probe_tells_what_the_header_says(tmp_path: Path) -> None:
    found = probe(media.write(media.tone(2.0), tmp_path / "clip.mp4"))
    assert (found.container, found.codec) == ("mp4", "aac")
    assert (found.sample_rate, found.channels) == (44_100, 1)
    assert found.duration == pytest.approx(2.0, abs=0.1)
    assert found.has_audio
    assert found.has_video


def test_the_example_is_decoded_in_full(jfk: Sample) -> None:
    samples, warnings = decoded(jfk.path)
    assert samples.shape[1] / RATE == pytest.approx(jfk.duration, abs=0.01)
    assert warnings == ()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_channels_are_kept_apart(tmp_path: Path, channels: int) -> None:
    rows = np.concatenate([media.tone(1.0, level=0.1 * (n + 1)) for n in range(channels)])
    samples, _ = decoded(write_pcm_wav(tmp_path / "n.wav", rows), split_channels=True)
    assert samples.shape == rows.shape
    assert np.abs(samples.astype(int) - rows).max() <= 1


@pytest.mark.parametrize("channels", [2, 3, 4, 6, 8, 16])
def test_every_channel_is_heard_in_the_mix(tmp_path: Path, channels: int) -> None:
    for speaking in range(channels):
        rows = media.silence(0.3, channels=channels)
        rows[speaking] = media.tone(0.3)[0]
        samples, _ = decoded(write_pcm_wav(tmp_path / "mix.wav", rows))
        assert samples.shape[0] == 1
        assert loudness(samples[0]) > 0.3 * loudness(rows[speaking]) / channels


def test_surround_sound_is_mixed(tmp_path: Path) -> None:
    path = tmp_path / "surround.m4a"
    packed = np.repeat(media.noise(1.0)[0], 8)[np.newaxis]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="7.1")
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="7.1")
        frame.sample_rate = 16_000
        for part in av.AudioResampler(format="fltp", layout="7.1", rate=16_000).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    samples, _ = decoded(path)
    assert samples.shape[0] == 1
    assert loudness(samples[0]) > 500


def test_gaps_in_the_time_stamps_become_silence(tmp_path: Path) -> None:
    path = tmp_path / "paused.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for start in (0, 3 * RATE):
            frame = av.AudioFrame.from_ndarray(media.tone(1.0), format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples, _ = decoded(path)
    assert samples.shape[1] / RATE == pytest.approx(4.0, abs=0.01)
    assert loudness(samples[0, RATE + 100 : 3 * RATE - 100]) == 0
    assert loudness(samples[0, 3 * RATE + 100 :]) > 1000


def test_too_many_channels_to_split_are_refused(tmp_path: Path) -> None:
    path = write_pcm_wav(tmp_path / "six.wav", media.silence(0.5, channels=6))
    with (
        pytest.raises(TooManyChannels, match="6 channels; at most 5"),
        open_decoder(path, split_channels=True),
    ):
        pass


def test_headerless_pcm_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(media.tone(1.5).tobytes() + b"\0")
    samples, warnings = decoded(path, raw_pcm=True)
    assert np.array_equal(samples, media.tone(1.5))
    assert "cut in half" in warnings[0]


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_what_is_there_of_a_cut_off_file_is_decoded(tmp_path: Path, suffix: str) -> None:
    path = media.write(media.noise(20.0), tmp_path / f"whole{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    samples, warnings = decoded(path)
    assert 8 < samples.shape[1] / RATE < 12
    assert "header promises 20.0 s" in warnings[0]


def test_damage_in_the_middle_is_skipped_and_reported(tmp_path: Path) -> None:
    path = media.write(media.noise(20.0), tmp_path / "damaged.flac")
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + 60_000] = bytes(60_000)
    path.write_bytes(content)
    samples, warnings = decoded(path)
    assert samples.shape[1] / RATE > 17
    assert "header promises 20.0 s" in warnings[0]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    with pytest.raises(EmptyAudio, match="empty"), open_decoder(path):
        pass
    with pytest.raises(EmptyAudio), open_decoder(path, raw_pcm=True):
        pass


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text, whatever its name says.\n" * 50,
        b"1\n00:00:01,000 --> 00:00:02,000\nA subtitle is no recording.\n",
        b"RIFF\xff\xff\xff\xffWAVE",
        bytes(range(256)) * 40,
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(content)
    with pytest.raises(UndecodableAudio), open_decoder(path) as decoder:
        list(decoder.blocks())


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = media.write_silent_video(tmp_path / "mute.mp4")
    assert not probe(path).has_audio
    with pytest.raises(NoAudioStream, match="no sound"), open_decoder(path):
        pass


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {target}\n",
    ],
)
@pytest.mark.parametrize("target", ["secret.mp3", "file://{folder}/secret.mp3"])
def test_playlists_reach_no_other_file(tmp_path: Path, playlist: str, target: str) -> None:
    media.write(media.tone(2.0), tmp_path / "secret.mp3")
    path = tmp_path / "list.m3u8"
    path.write_text(playlist.format(target=target.format(folder=tmp_path)))
    with pytest.raises(UndecodableAudio), open_decoder(path) as decoder:
        list(decoder.blocks())


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    path = write_pcm_wav(tmp_path / "long.wav", media.silence(1800.0), rate=RATE)
    with open_decoder(path) as decoder:
        blocks = decoder.blocks()
        next(blocks)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = sum(block.shape[1] for block in blocks) / RATE
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert seconds > 1790
    assert grown < 8 * 1024  # KiB; the samples alone are 55 MiB

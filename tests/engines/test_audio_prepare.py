"""PREPARE makes tracks and parts of anything that can be decoded, and refuses the rest."""

import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dalston.engine_sdk import (
    AudioError,
    AudioTooLong,
    AudioTooShort,
    EmptyAudio,
    NoAudioStream,
    PrepareResult,
    Source,
    SourceFormat,
    SpeakerMode,
    Speakers,
    Stage,
    TaskCancelled,
    TooManyChannels,
    TranscriptionOptions,
    UndecodableAudio,
    read_wav,
    wav_info,
)
from tests import media, recordings
from tests.engines.folder_task import folder_task, load_engine
from tests.speech import Sample

CHANNELS = TranscriptionOptions(speakers=Speakers(mode=SpeakerMode.CHANNELS))


def prepare(
    path: Path,
    *,
    options: TranscriptionOptions | None = None,
    format: SourceFormat = SourceFormat.AUTO,
    **parameters: float,
) -> PrepareResult:
    source = Source(artifact=path.name, format=format)
    task = folder_task(path.parent, Stage.PREPARE, source=source, options=options)
    result = load_engine("prepare", "audio-prepare", **parameters).process(task)
    assert isinstance(result, PrepareResult)
    assert {each.name for each in task.outputs()} == {track.audio for track in result.tracks}
    return result


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies a shared recording to where a test may work."""

    def copy(path: Path) -> Path:
        return Path(shutil.copy(path, tmp_path))

    return copy


def test_a_recording_becomes_one_track_and_one_part(
    jfk: Sample, copied: Callable[[Path], Path]
) -> None:
    path = copied(jfk.path)
    result = prepare(path)
    assert (result.container, result.codec) == ("flac", "flac")
    assert result.duration == pytest.approx(jfk.duration, abs=0.01)
    assert [(part.track, part.start, part.end) for part in result.parts] == [
        (0, 0.0, result.duration)
    ]
    track = result.tracks[0]
    assert track.channel is None
    assert wav_info(path.parent / "outputs" / track.audio).duration == result.duration
    assert 0.6 < sum(end - start for start, end in track.speech) / result.duration < 0.95
    assert result.warnings == ()


@pytest.mark.parametrize("suffix", [".mp3", ".mp4", ".webm", ".avi"])
def test_any_container_will_do(tmp_path: Path, jfk: Sample, suffix: str) -> None:
    path = media.write(media.decode(jfk.path), tmp_path / f"jfk{suffix}")
    result = prepare(path)
    assert result.duration == pytest.approx(jfk.duration, abs=0.15)
    original = read_wav(media.write(media.decode(jfk.path), tmp_path / "original.wav"))
    prepared = read_wav(tmp_path / "outputs" / "audio.wav")
    level = np.sqrt(np.mean(prepared**2)) / np.sqrt(np.mean(original**2))
    assert level == pytest.approx(1.0, abs=0.1)


def test_channels_become_tracks(tmp_path: Path, copied: Callable[[Path], Path]) -> None:
    talk = recordings.conversation(channels=2)
    result = prepare(copied(talk.path), options=CHANNELS)
    assert result.channels == 2
    assert [(track.index, track.channel) for track in result.tracks] == [(0, 0), (1, 1)]
    for track in result.tracks:
        for turn in talk.turns:
            shared = [min(end, turn.end) - max(start, turn.start) for start, end in track.speech]
            heard = sum(max(0.0, each) for each in shared) / (turn.end - turn.start)
            assert (heard > 0.5) == (turn.channel == track.channel)


def test_channels_of_a_mono_recording_are_one(jfk: Sample, copied: Callable[[Path], Path]) -> None:
    result = prepare(copied(jfk.path), options=CHANNELS)
    assert [track.channel for track in result.tracks] == [0]
    assert result.tracks[0].audio == "channel-0.wav"


def test_long_recordings_are_divided_between_the_turns(copied: Callable[[Path], Path]) -> None:
    recording = recordings.long_recording(240.0)
    result = prepare(copied(recording.path), partSeconds=60)
    assert len(result.parts) == 4
    assert [part.index for part in result.parts] == [0, 1, 2, 3]
    for before, after in zip(result.parts, result.parts[1:], strict=False):
        assert before.end == after.start
        assert not any(start < before.end < end for start, end in result.tracks[0].speech)
    assert (result.parts[0].start, result.parts[-1].end) == (0.0, result.duration)


def test_parts_of_all_tracks_are_numbered(copied: Callable[[Path], Path]) -> None:
    talk = recordings.conversation(channels=2)
    result = prepare(copied(talk.path), options=CHANNELS, partSeconds=15)
    assert [part.index for part in result.parts] == list(range(len(result.parts)))
    for track in result.tracks:
        mine = [part for part in result.parts if part.track == track.index]
        assert len(mine) >= 2
        assert mine[-1].end == track.duration


def test_headerless_pcm_is_taken_as_such(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(media.tone(1.0).tobytes())
    result = prepare(path, format=SourceFormat.PCM_S16LE_16)
    assert (result.codec, result.sample_rate, result.duration) == ("pcm_s16le", 16_000, 1.0)


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_cut_off_files_are_prepared_with_a_warning(tmp_path: Path, suffix: str) -> None:
    path = media.write(media.noise(10.0), tmp_path / f"cut{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = prepare(path)
    assert 4 < result.duration < 6
    assert "promises 10.0 s" in result.warnings[0]


def test_without_silence_the_cut_is_reported(tmp_path: Path) -> None:
    path = media.write(media.tone(100.0), tmp_path / "tone.wav")
    result = prepare(path, partSeconds=30)
    assert len(result.parts) > 1
    assert "No silence" in result.warnings[0]
    assert max(part.end - part.start for part in result.parts) <= 60.1


def empty(folder: Path) -> Path:
    (folder / "empty.mp3").touch()
    return folder / "empty.mp3"


def text(folder: Path) -> Path:
    (folder / "text.wav").write_text("All work and no play makes Jack a dull boy.\n" * 40)
    return folder / "text.wav"


def mute(folder: Path) -> Path:
    return media.write_silent_video(folder / "mute.mp4")


def brief(folder: Path) -> Path:
    return media.write(media.tone(0.05), folder / "brief.wav")


def six_channels(folder: Path) -> Path:
    with wave.open(str(folder / "six.wav"), "wb") as file:
        file.setparams((6, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(6 * 2 * 8_000))
    return folder / "six.wav"


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (empty, EmptyAudio, "at least 0.1 seconds"),
        (text, UndecodableAudio, "convert it to"),
        (mute, NoAudioStream, "no sound"),
        (brief, AudioTooShort, "50 ms of audio. Send at least 100 ms"),
        (six_channels, TooManyChannels, "at most 5"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], Path], error: type[AudioError], says: str
) -> None:
    with pytest.raises(error, match=says) as refused:
        prepare(make(tmp_path), options=CHANNELS)
    assert refused.value.code == error.__name__


def test_too_long_recordings_are_refused(tmp_path: Path) -> None:
    path = media.write(media.silence(20.0), tmp_path / "long.wav")
    with pytest.raises(AudioTooLong, match="in pieces"):
        prepare(path, maxSeconds=10)


def test_a_cancelled_task_stops(jfk: Sample, copied: Callable[[Path], Path]) -> None:
    path = copied(jfk.path)
    task = folder_task(path.parent, Stage.PREPARE, source=Source(artifact=path.name))
    task.cancelled.set()
    with pytest.raises(TaskCancelled):
        load_engine("prepare", "audio-prepare").process(task)

"""The recordings that other tests rely on are what they claim to be."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests import media, recordings, speech


@pytest.mark.parametrize("suffix", sorted(media.FORMATS))
def test_written_file_decodes_to_its_length(suffix: str, tmp_path: Path) -> None:
    path = media.write(media.tone(1.5), tmp_path / f"tone{suffix}")
    assert media.decode(path).shape[1] / media.RATE == pytest.approx(1.5, abs=0.1)


def test_telephone_wav_is_mu_law_at_8_khz(tmp_path: Path) -> None:
    path = media.write_telephone(media.tone(1.0), tmp_path / "call.wav")
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("pcm_mulaw", 8000)


def test_silent_video_has_no_audio_stream(tmp_path: Path) -> None:
    with av.open(str(media.write_silent_video(tmp_path / "mute.mp4"))) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 0)


def test_samples_exist_with_text_and_licence() -> None:
    found = speech.samples().values()
    assert len({each.language for each in found}) == 9
    assert all(each.path.is_file() and each.text and each.licence for each in found)
    assert len(speech.recorded_english()) == 11


def test_long_recording_has_its_length_and_silence_between_turns() -> None:
    recording = recordings.long_recording(54)
    pcm = media.decode(recording.path)[0]
    assert len(pcm) == 54 * media.RATE
    for before, after in zip(recording.turns, recording.turns[1:], strict=False):
        assert not pcm[round(before.end * media.RATE) : round(after.start * media.RATE)].any()


def test_stereo_conversation_keeps_speakers_apart() -> None:
    recording = recordings.conversation(channels=2)
    pcm = media.decode(recording.path, channels=2)
    for turn in recording.turns:
        heard = pcm[:, round(turn.start * media.RATE) : round(turn.end * media.RATE)]
        assert np.abs(heard[turn.channel]).max() > 5_000
        assert not heard[1 - turn.channel].any()


def test_synthesised_speech_is_kept_for_the_next_call() -> None:
    once, again = (speech.synthesise("four words are spoken") for _ in range(2))
    assert once == again
    assert once.duration > 0.8

"""From transcripts to answers (contract, section 4)."""

from typing import Any

from dalston_gateway.elevenlabs.answers import answer
from dalston_gateway.elevenlabs.form import ChannelStyle, FormatRequest, Granularity
from dalston_gateway.elevenlabs.translation import AnswerOptions

from dalston.resources.transcription_options import SpeakerMode
from dalston.transcripts import Entity, Segment, Transcript, Word

SAID = Segment(
    start=0.0, end=1.0, text="Good day", words=(Word(text="Good", start=0, end=0.4),
    Word(text="day", start=0.5, end=1)), language="en",
)  # fmt: skip
MONO = Transcript(
    language="en", language_probability=0.87654, duration=3.5, text="Good day", segments=(SAID,)
)
STEREO = MONO.model_copy(
    update={
        "channels": 2,
        "segments": (
            SAID.model_copy(update={"channel": 0}),
            SAID.model_copy(
                update={"channel": 1, "text": "Guten Tag", "words": (), "language": "de"}
            ),
        ),
    }
)


def answered(transcript: Transcript, **more: Any) -> dict[str, Any]:
    options = AnswerOptions(**more.pop("options", {}))
    fixed = {"mode": SpeakerMode.NONE, "language_given": False, "id": "abc"}
    return answer(transcript, options=options, **{**fixed, **more})


def test_answer_has_all_required_fields() -> None:
    found = answered(MONO)
    assert found["language_code"] == "eng"
    assert found["language_probability"] == 0.8765
    assert found["text"] == "Good day" == "".join(each["text"] for each in found["words"])
    assert (found["transcription_id"], found["audio_duration_secs"]) == ("abc", 3.5)
    assert not {"entities", "additional_formats", "edited_transcript", "warnings"} & found.keys()


def test_answer_is_certain_of_a_language_that_was_given() -> None:
    assert answered(MONO, language_given=True)["language_probability"] == 1.0


def test_answer_is_certain_of_the_only_language_of_a_model() -> None:
    only = MONO.model_copy(update={"language_probability": None})
    assert answered(only)["language_probability"] == 1.0


def test_answer_to_silence_is_complete() -> None:
    found = answered(Transcript(duration=4.0, text=""))
    assert (found["language_code"], found["language_probability"]) == ("und", 0.0)
    assert (found["text"], found["words"]) == ("", [])


def test_answer_has_an_entry_for_each_channel() -> None:
    found = answered(STEREO, mode=SpeakerMode.CHANNELS)
    assert [each["channel_index"] for each in found["transcripts"]] == [0, 1]
    assert [each["text"] for each in found["transcripts"]] == ["Good day", "Guten Tag"]
    assert [each["language_code"] for each in found["transcripts"]] == ["eng", "deu"]
    assert found["transcripts"][1]["words"][0]["channel_index"] == 1
    assert "text" not in found
    assert found["transcription_id"] == "abc"


def test_answer_has_an_entry_for_a_silent_channel() -> None:
    silent = STEREO.model_copy(update={"segments": STEREO.segments[:1]})
    found = answered(silent, mode=SpeakerMode.CHANNELS)
    assert [each["text"] for each in found["transcripts"]] == ["Good day", ""]


def test_answer_combines_channels_when_asked() -> None:
    found = answered(
        STEREO, mode=SpeakerMode.CHANNELS, options={"channel_style": ChannelStyle.COMBINED}
    )
    assert found["text"] == "Good day Guten Tag"
    assert [each.get("channel_index") for each in found["words"]] == [0, 0, 0, 0, 1, 1, 1]


def test_answer_renders_additional_formats() -> None:
    formats = tuple(FormatRequest(format=each) for each in ("srt", "txt", "segmented_json"))
    found = answered(MONO, options={"formats": formats})["additional_formats"]
    assert [each["requested_format"] for each in found] == ["srt", "txt", "segmented_json"]
    assert [each["file_extension"] for each in found] == ["srt", "txt", "json"]
    assert "00:00:00,000 --> " in found[0]["content"]
    assert {each["is_base64_encoded"] for each in found} == {False}


def test_answer_has_null_for_subtitles_without_times() -> None:
    untimed = Transcript(duration=1, text="a", segments=(Segment(text="a"),))
    formats = (FormatRequest(format="srt"),)
    assert answered(untimed, options={"formats": formats})["additional_formats"] == [None]


def test_answer_tells_that_character_times_were_spread() -> None:
    found = answered(MONO, options={"granularity": Granularity.CHARACTER})
    assert any("spread" in warning for warning in found["warnings"])


def test_answer_gathers_warnings_once() -> None:
    found = answered(MONO, options={"warnings": ("a", "b")}, warnings=["b", "c"])
    assert found["warnings"] == ["a", "b", "c"]


def test_answer_gives_entities_with_their_offsets() -> None:
    entity = Entity(text="day", type="date", start_char=5, end_char=8)
    found = answered(MONO.model_copy(update={"entities": (entity,)}))
    assert found["entities"] == [
        {"text": "day", "entity_type": "date", "start_char": 5, "end_char": 8}
    ]
    assert found["text"][5:8] == "day"


def test_answer_gives_the_edited_text() -> None:
    found = answered(MONO.model_copy(update={"edited_text": "Hi"}))["edited_transcript"]
    assert found == {"kind": "transcript", "text": "Good day", "edited_text": "Hi"}

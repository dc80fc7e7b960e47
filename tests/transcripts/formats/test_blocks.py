"""Text and JSON carry what the transcript says, cut where asked."""

import json

from dalston.transcripts import Segment, Speaker, Transcript, Word
from dalston.transcripts.formats import FormatOptions, TranscriptFormat, render


def words(text: str, *, start: float, speaker: str | None = None, gap: float = 0.0) -> Segment:
    """A segment of half-second words with `gap` seconds between them."""
    timed = tuple(
        Word(text=each, start=start + n * (0.5 + gap), end=start + n * (0.5 + gap) + 0.5)
        for n, each in enumerate(text.split())
    )
    return Segment(text=text, start=start, end=timed[-1].end, words=timed, speaker=speaker)


def dialogue() -> Transcript:
    segments = (
        words("How are you?", start=0.0, speaker="speaker_0"),
        words("Tell me.", start=2.0, speaker="speaker_0"),
        words("Fine, thanks.", start=4.0, speaker="speaker_1"),
    )
    return Transcript(
        duration=9.0,
        text=" ".join(each.text for each in segments),
        segments=segments,
        speakers=(Speaker(id="speaker_0", label="Ann"), Speaker(id="speaker_1")),
    )


def written(found: Transcript, format: TranscriptFormat, **options: object) -> str:
    return render(found, format, FormatOptions.model_validate(options)).text


def test_txt_has_times_and_speakers() -> None:
    assert written(dialogue(), TranscriptFormat.TXT) == (
        "[00:00:00.000 - 00:00:01.500] Ann\nHow are you?\n\n"
        "[00:00:02.000 - 00:00:03.000] Ann\nTell me.\n\n"
        "[00:00:04.000 - 00:00:05.000] speaker_1\nFine, thanks.\n"
    )


def test_txt_without_times_has_a_paragraph_for_each_turn() -> None:
    text = written(dialogue(), TranscriptFormat.TXT, include_timestamps=False)
    assert text == "Ann\nHow are you? Tell me.\n\nspeaker_1\nFine, thanks.\n"


def test_txt_alone_is_the_text() -> None:
    found = Transcript(duration=1.0, text="One. Two.", segments=(Segment(text="One. Two."),))
    assert written(found, TranscriptFormat.TXT) == "One. Two.\n"


def test_txt_lines_are_bounded() -> None:
    found = Transcript(duration=1.0, text="", segments=(Segment(text="word " * 99),))
    lines = written(found, TranscriptFormat.TXT, max_characters_per_line=30).splitlines()
    assert max(map(len, lines)) <= 30
    assert " ".join(lines).split() == ["word"] * 99


def test_txt_is_cut_at_silences() -> None:
    segment = words("one two", start=0.0, gap=2.0)
    found = Transcript(duration=9.0, text=segment.text, segments=(segment,))
    text = written(found, TranscriptFormat.TXT, segment_on_silence_longer_than_s=1.0)
    assert text.count("[") == 2


def test_segmented_json_spells_the_text_with_its_words() -> None:
    found = json.loads(written(dialogue(), TranscriptFormat.SEGMENTED_JSON))["segments"]
    assert [each["text"] for each in found] == ["How are you?", "Tell me.", "Fine, thanks."]
    assert found[0]["speaker_id"] == "speaker_0"
    for each in found:
        assert "".join(word["text"] for word in each["words"]) == each["text"]
    assert found[1]["words"][0] == {
        "text": "Tell",
        "type": "word",
        "start": 2.0,
        "end": 2.5,
        "speaker_id": "speaker_0",
    }


def test_segmented_json_leaves_out_what_is_not_asked() -> None:
    text = written(
        dialogue(),
        TranscriptFormat.SEGMENTED_JSON,
        include_speakers=False,
        include_timestamps=False,
    )
    assert "start" not in text
    assert "speaker" not in text


def test_segmented_json_is_cut_where_asked() -> None:
    segment = words("This is a rather long sentence, is it not?", start=0.0)
    found = Transcript(duration=9.0, text=segment.text, segments=(segment,))
    options = {"max_segment_chars": 32, "max_segment_duration_s": 3.5}
    text = written(found, TranscriptFormat.SEGMENTED_JSON, **options)
    assert [each["text"] for each in json.loads(text)["segments"]] == [
        "This is a rather long sentence,",
        "is it not?",
    ]


def test_json_is_the_transcript() -> None:
    text = written(dialogue(), TranscriptFormat.JSON)
    assert Transcript.model_validate_json(text) == dialogue()

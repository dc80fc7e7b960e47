"""Subtitles keep their rules: lines, length, speed, breaks, escapes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalston.transcripts import Segment, Speaker, Transcript, Word
from dalston.transcripts.formats import FormatOptions, NoTimes, TranscriptFormat, render
from dalston.transcripts.formats.cues import Cue, cues_of
from dalston.transcripts.formats.options import subtitle_layout
from dalston.transcripts.formats.tokens import display_width

SENTENCES = (
    "It was the best of times, it was the worst of times. It was the age of wisdom, "
    "it was the age of foolishness, it was the epoch of belief. We had everything before us!"
)


def spoken(
    text: str,
    *,
    rate: float = 2.5,
    start: float = 0.0,
    speaker: str | None = None,
    separator: str = " ",
) -> Segment:
    """A segment spoken at `rate` words a second without pauses."""
    parts = text.split() if separator else list(text)
    words = tuple(
        Word(text=each, start=start + n / rate, end=start + (n + 1) / rate, speaker=speaker)
        for n, each in enumerate(parts)
    )
    return Segment(
        text=text, start=start, end=start + len(parts) / rate, words=words, speaker=speaker
    )


def transcript(*segments: Segment, speakers: tuple[Speaker, ...] = ()) -> Transcript:
    text = " ".join(each.text for each in segments)
    return Transcript(duration=600.0, text=text, segments=segments, speakers=speakers)


def cues(*segments: Segment, **options: float) -> list[Cue]:
    return cues_of(segments, subtitle_layout(FormatOptions.model_validate(options)))


def written(found: Transcript, format: TranscriptFormat, **options: object) -> str:
    return render(found, format, FormatOptions.model_validate(options)).text


def test_srt_is_numbered_and_timed() -> None:
    text = written(transcript(spoken("Hello there.", start=3661.5)), TranscriptFormat.SRT)
    assert text == "1\n01:01:01,500 --> 01:01:02,500\nHello there.\n"


def test_vtt_has_its_header() -> None:
    rendered = render(transcript(spoken("Hello there.", start=1.0)), TranscriptFormat.VTT)
    assert rendered.text == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello there.\n"
    assert (rendered.content_type, rendered.extension) == ("text/vtt", "vtt")


def test_cues_end_with_sentences_and_clauses() -> None:
    found = cues(spoken(SENTENCES))
    assert len(found) >= 4
    assert all(cue.lines[-1][-1] in ".,!" for cue in found)


def test_a_pause_starts_a_cue() -> None:
    found = cues(spoken("so I said", start=0), spoken("nothing at all", start=2.5))
    assert [" ".join(cue.lines) for cue in found] == ["so I said", "nothing at all"]


def test_limits_can_be_set() -> None:
    found = cues(
        spoken(SENTENCES),
        max_characters_per_line=20,
        max_segment_chars=30,
        max_segment_duration_s=2,
    )
    assert all(len(line) <= 20 for cue in found for line in cue.lines)
    assert all(sum(map(len, cue.lines)) <= 30 for cue in found)
    assert all(cue.end - cue.start <= 2.0 for cue in found)


def test_no_cue_stays_longer_than_seven_seconds() -> None:
    slow = spoken("one two three four five six seven eight", rate=0.5)
    assert max(cue.end - cue.start for cue in cues(slow, max_segment_duration_s=60)) <= 7.0


def test_fast_speech_stays_while_there_is_room() -> None:
    fast, later = spoken("an extraordinarily hurried announcement", rate=8), spoken("x", start=9)
    first = cues(fast, later)[0]
    assert sum(map(len, first.lines)) / (first.end - first.start) <= 20


def test_speakers_are_named_where_they_change() -> None:
    found = transcript(
        spoken("How are you?", speaker="speaker_0"),
        spoken("Fine, thanks.", start=1.5, speaker="speaker_1"),
        spoken("And you?", start=4.5, speaker="speaker_1"),
        speakers=(Speaker(id="speaker_0", label="Ann & Bob"), Speaker(id="speaker_1")),
    )
    srt = written(found, TranscriptFormat.SRT, include_speakers=True)
    assert re.findall(r"\[.*", srt) == ["[Ann & Bob] How are you?", "[speaker_1] Fine, thanks."]
    vtt = written(found, TranscriptFormat.VTT, include_speakers=True)
    assert re.findall(r"<v .*", vtt) == [
        "<v Ann &amp; Bob>How are you?",
        "<v speaker_1>Fine, thanks.",
        "<v speaker_1>And you?",
    ]
    assert "speaker" not in written(found, TranscriptFormat.SRT)


def test_labels_count_as_text() -> None:
    found = transcript(
        spoken(SENTENCES, speaker="speaker_0"),
        speakers=(Speaker(id="speaker_0", label="A rather long name of a speaker"),),
    )
    srt = written(found, TranscriptFormat.SRT, include_speakers=True)
    assert max(map(len, srt.splitlines())) <= 42


def test_markup_is_escaped() -> None:
    found = transcript(spoken("if a<b && c>d --> stop"))
    vtt = written(found, TranscriptFormat.VTT)
    assert "if a&lt;b &amp;&amp; c&gt;d --&gt; stop" in vtt
    srt = written(found, TranscriptFormat.SRT)
    assert srt.count("-->") == 1
    assert "d → stop" in srt


def test_words_written_without_a_space_stay_together() -> None:
    words = ("Unless to be rather cold", "-hearted and rather selfish is ill", "-disposed at all")
    parts = [Segment(text="".join(words), words=(), start=0.0, end=5.0)]
    split = [each for part in words for each in part.split()]
    timed = tuple(Word(text=each, start=n / 3, end=(n + 1) / 3) for n, each in enumerate(split))
    found = cues(parts[0].model_copy(update={"words": timed}))
    lines = [line for cue in found for line in cue.lines]
    assert not any(line.startswith("-") for line in lines)
    assert " ".join(lines) == "".join(words)


def test_chinese_breaks_without_spaces_and_not_before_punctuation() -> None:
    text = "今天天气很好，我们一起去公园散步吧。你觉得怎么样？我想应该会很开心的，因为大家都在那里等着我们。"
    words = tuple(
        Word(text=each, start=n / 4, end=(n + 1) / 4)
        for n, each in enumerate(re.findall(r"\w", text))
    )
    for given_words in (words, ()):
        segment = Segment(text=text, start=0.0, end=12.0, words=given_words)
        lines = [line for cue in cues(segment) for line in cue.lines]
        assert "".join(lines) == text
        assert all(display_width(line) <= 42 for line in lines)
        assert not any(line[0] in "，。？" for line in lines)


def test_segments_without_word_times_are_divided_by_length() -> None:
    segment = Segment(text=SENTENCES, start=10.0, end=30.0)
    found = cues(segment)
    assert found[0].start == 10.0
    assert found[-1].end <= 30.0
    assert " ".join(line for cue in found for line in cue.lines) == SENTENCES


def test_an_endless_word_is_cut() -> None:
    found = cues(spoken("x" * 200, rate=0.2))
    assert all(len(line) <= 42 for cue in found for line in cue.lines)
    assert "".join(line for cue in found for line in cue.lines) == "x" * 200


def test_subtitles_need_times() -> None:
    untimed = transcript(Segment(text="When was this said?"))
    for format in (TranscriptFormat.SRT, TranscriptFormat.VTT):
        with pytest.raises(NoTimes, match="without times"):
            render(untimed, format)


def test_an_empty_transcript_has_no_cues() -> None:
    assert written(transcript(), TranscriptFormat.SRT) == ""
    assert written(transcript(), TranscriptFormat.VTT) == "WEBVTT\n"


@st.composite
def speech(draw: st.DrawFn) -> list[Segment]:
    """Words of one channel with pauses and any punctuation."""
    at = draw(st.floats(0, 5))
    segments = []
    for _ in range(draw(st.integers(1, 3))):
        words = []
        for _ in range(draw(st.integers(1, 25))):
            at += draw(st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.2]))
            text = draw(st.text("abcdeft", min_size=1, max_size=14))
            text += draw(st.sampled_from(["", "", "", ",", ".", "?"]))
            end = at + draw(st.floats(0.02, 1.5))
            words.append(Word(text=text, start=at, end=end))
            at = end
        text = " ".join(word.text for word in words)
        segments.append(Segment(text=text, start=words[0].start, end=at, words=tuple(words)))
    return segments


@given(speech(), st.sampled_from([None, 6.0]))
def test_rules_hold_for_any_speech(segments: list[Segment], seconds: float | None) -> None:
    found = cues(*segments) if seconds is None else cues(*segments, max_segment_duration_s=seconds)
    shown = [word for cue in found for line in cue.lines for word in line.split()]
    assert shown == [word.text for segment in segments for word in segment.words]
    for cue in found:
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
        assert 0 < cue.end - cue.start <= (seconds or 4.0) + 0.002
    for before, after in zip(found, found[1:], strict=False):
        assert before.end <= after.start + 0.002

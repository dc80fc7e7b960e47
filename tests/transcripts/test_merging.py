"""Parts become one transcript: nothing lost, nothing doubled, times in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalston.resources.transcription_options import SpeakerMode, Timestamps
from dalston.transcripts import (
    Character,
    MergeInput,
    MergePart,
    MergeTrack,
    Segment,
    Transcript,
    Turn,
    Word,
    merge,
)

MONO = (MergeTrack(0),)


def segment(text: str, start: float, *, step: float = 0.4) -> Segment:
    """A segment whose words follow each other every `step` seconds."""
    words = tuple(
        Word(text=each, start=start + n * step, end=start + n * step + 0.3, logprob=-0.1)
        for n, each in enumerate(text.split())
    )
    return Segment(text=f" {text}", start=start, end=words[-1].end, words=words)


def part(start: float, end: float, *texts: str, track: int = 0) -> MergePart:
    segments = tuple(segment(text, 1.0 + 5 * n) for n, text in enumerate(texts))
    return MergePart(track, start, end, segments, "en", 0.9)


def merged(*parts: MergePart, **options: object) -> Transcript:
    tracks = options.pop("tracks", MONO)
    return merge(MergeInput(duration=60.0, tracks=tracks, parts=parts, **options))  # type: ignore[arg-type]


def test_parts_are_joined_in_the_time_of_the_recording() -> None:
    found = merged(part(20.0, 60.0, "third one"), part(0.0, 20.0, "Hello there.", "Second"))
    assert found.text == "Hello there. Second third one"
    assert [each.id for each in found.segments] == [0, 1, 2]
    assert [each.start for each in found.segments] == [1.0, 6.0, 21.0]
    assert found.words()[-1].end == pytest.approx(21.7)
    assert (found.language, found.language_probability) == ("en", pytest.approx(0.9))


def test_nothing_reaches_out_of_its_part() -> None:
    late = MergePart(0, 0.0, 2.0, (segment("one two three four five six", 0.5),))
    found = merged(late, part(2.0, 60.0, "next"))
    assert max(word.end for word in found.segments[0].words if word.end) <= 2.0
    assert len(found.words()) == 7


def test_overlapping_words_are_trimmed_not_moved() -> None:
    words = (
        Word(text="a", start=1.0, end=3.0),
        Word(text="b", start=2.0, end=2.5),
        Word(text="c", start=1.5, end=1.8),
        Word(text="d"),
        Word(text="e", start=2.6, end=3.0),
    )
    given_part = MergePart(0, 0.0, 60.0, (Segment(text="a b c d e", words=words),))
    times = [(word.start, word.end) for word in merged(given_part).words()]
    assert times == [(1.0, 2.0), (2.0, 2.0), (2.0, 2.0), (None, None), (2.6, 3.0)]


def test_silence_gives_an_empty_transcript() -> None:
    found = merged(MergePart(0, 0.0, 60.0, (), None, None))
    assert (found.text, found.segments, found.language) == ("", (), None)
    assert found.language_probability is None


def test_empty_segments_and_words_are_left_out() -> None:
    hollow = Segment(text="  ", start=0.0, end=1.0)
    ragged = Segment(
        text=" Hi  there ", words=(Word(text=" Hi"), Word(text=" "), Word(text="there"))
    )
    found = merged(MergePart(0, 0.0, 60.0, (hollow, ragged)))
    assert len(found.segments) == 1
    assert [word.text for word in found.words()] == ["Hi", "there"]


def test_text_follows_the_words_where_the_two_differ() -> None:
    odd = Segment(text="Something else", words=(Word(text="No"), Word(text="way.")))
    assert merged(MergePart(0, 0.0, 60.0, (odd,))).text == "No way."


def test_scripts_without_spaces_are_joined_without() -> None:
    parts = [
        MergePart(0, 0.0, 10.0, (Segment(text="你好世界。", start=1.0, end=2.0),), "zh", 0.9),
        MergePart(0, 10.0, 20.0, (Segment(text="今天天气很好。", start=1.0, end=2.0),), "zh", 0.8),
    ]
    assert merged(*parts).text == "你好世界。今天天气很好。"


def test_the_language_is_decided_by_seconds_of_speech() -> None:
    brief = MergePart(0, 0.0, 30.0, (segment("Hallo", 1.0),), "de", 0.99)
    long = MergePart(0, 30.0, 60.0, (segment("so much more was said here", 1.0),), "en", 0.7)
    found = merged(brief, long)
    assert found.language == "en"
    assert found.language_probability is not None
    assert 0.5 < found.language_probability < 0.7
    assert [each.language for each in found.segments] == ["de", "en"]


def test_a_given_language_has_no_probability() -> None:
    found = merged(part(0.0, 60.0, "Bonjour"), language="fr")
    assert (found.language, found.language_probability) == ("fr", None)


def test_channels_are_interleaved_with_a_speaker_each() -> None:
    tracks = (MergeTrack(0, 0), MergeTrack(1, 1), MergeTrack(2, 2))
    found = merged(
        part(0.0, 60.0, "question", "second question", track=0),
        MergePart(1, 0.0, 60.0, (segment("answer", 3.0),)),
        MergePart(2, 0.0, 60.0, ()),
        tracks=tracks,
        speaker_mode=SpeakerMode.CHANNELS,
    )
    assert found.text == "question answer second question"
    assert [(each.channel, each.speaker) for each in found.segments] == [
        (0, "speaker_0"),
        (1, "speaker_1"),
        (0, "speaker_0"),
    ]
    assert [each.channel for each in found.speakers] == [0, 1]
    assert found.channels == 3


def test_diarized_words_get_speakers() -> None:
    turns = (
        Turn(start=0.9, end=1.75, speaker="SPEAKER_07"),
        Turn(start=1.75, end=4.0, speaker="SPEAKER_02"),
    )
    found = merged(
        part(0.0, 60.0, "Are you? Yes I am."),
        speaker_mode=SpeakerMode.DIARIZE,
        turns={0: turns},
    )
    assert [(each.speaker, each.text) for each in found.segments] == [
        ("speaker_0", "Are you?"),
        ("speaker_1", "Yes I am."),
    ]
    assert [turn.speaker for turn in found.turns] == ["speaker_0", "speaker_1"]
    assert [each.seconds for each in found.speakers] == [0.85, 2.25]


@pytest.mark.parametrize(
    ("timestamps", "words", "characters", "timed"),
    [
        (Timestamps.NONE, 0, False, False),
        (Timestamps.SEGMENT, 0, False, True),
        (Timestamps.WORD, 2, False, True),
        (Timestamps.CHARACTER, 2, True, True),
    ],
)
def test_times_are_as_fine_as_asked(
    timestamps: Timestamps, words: int, characters: bool, timed: bool
) -> None:
    measured = (Character(text="H", start=1.0, end=1.1), Character(text="i", start=1.1, end=1.3))
    plain = Word(text="you", start=1.4, end=1.7)
    given_words = (Word(text="Hi", start=1.0, end=1.3, characters=measured), plain)
    source = Segment(text="Hi you", start=1.0, end=1.7, words=given_words)
    found = merged(MergePart(0, 10.0, 60.0, (source,)), timestamps=timestamps)
    assert len(found.words()) == words
    assert (found.segments[0].start is not None) == timed
    for word in found.words():
        assert (word.characters is not None) == characters
    if characters:
        first, second = (word.characters or () for word in found.words())
        assert first[0].start == 11.0
        assert [each.start for each in second] == [11.4, 11.5, 11.6]


def test_refined_segments_stand_in_for_the_parts() -> None:
    refined = (Segment(text="Hello.", start=1.0, end=2.0),)
    found = merged(part(0.0, 60.0, "um hello"), refined=refined, edited_text="HELLO")
    assert (found.text, found.edited_text) == ("Hello.", "HELLO")


def test_warnings_and_engines_are_kept() -> None:
    found = merged(
        part(0.0, 60.0, "x"), warnings=("a", "b", "a"), engines={"merge": "final-merger"}
    )
    assert found.warnings == ("a", "b")
    assert found.engines == {"merge": "final-merger"}


seconds = st.floats(0, 30, allow_nan=False).map(lambda value: round(value, 3))
words = st.builds(
    Word,
    text=st.text("abcdefg.,你好", min_size=1, max_size=6),
    start=st.none() | seconds,
    end=st.none() | seconds,
    logprob=st.none() | st.floats(-5, 0),
)


@st.composite
def spoken_parts(draw: st.DrawFn, *, tracks: int) -> list[MergePart]:
    """Parts of 30 s with segments whose words have any times at all."""
    found = []
    for track in range(tracks):
        for index in range(draw(st.integers(1, 3))):
            segments = []
            for group in draw(st.lists(st.lists(words, max_size=5), max_size=4)):
                text = " ".join(word.text for word in group)
                segments.append(
                    Segment(text=text, start=draw(seconds), end=draw(seconds), words=tuple(group))
                )
            start = 30.0 * index
            found.append(MergePart(track, start, start + 30.0, tuple(segments), "en", None))
    return draw(st.permutations(found))


@given(spoken_parts(tracks=1))
def test_every_word_appears_once_and_in_order(parts: list[MergePart]) -> None:
    expected = [
        word.text
        for each in sorted(parts, key=lambda part: part.start)
        for segment in each.segments
        for word in segment.words
    ]
    found = merge(MergeInput(duration=90.0, tracks=MONO, parts=tuple(parts)))
    assert [word.text for word in found.words()] == expected


@given(spoken_parts(tracks=2))
def test_words_of_a_track_run_forwards_and_apart(parts: list[MergePart]) -> None:
    tracks = (MergeTrack(0, 0), MergeTrack(1, 1))
    found = merge(
        MergeInput(
            duration=90.0,
            tracks=tracks,
            parts=tuple(parts),
            speaker_mode=SpeakerMode.CHANNELS,
        )
    )
    for channel in (0, 1):
        timed = [
            word
            for each in found.segments
            if each.channel == channel
            for word in each.words
            if word.start is not None
        ]
        for before, after in zip(timed, timed[1:], strict=False):
            assert before.start <= after.start
            assert before.end is None or before.end <= after.start
        assert all(word.end is None or word.end >= word.start for word in timed)
    assert all(each.text for each in found.segments)


@given(spoken_parts(tracks=1), st.lists(st.tuples(seconds, seconds, st.sampled_from("ABC"))))
def test_diarization_keeps_every_word_in_order(
    parts: list[MergePart], spans: list[tuple[float, float, str]]
) -> None:
    turns = tuple(
        Turn(start=min(a, b) * 3, end=max(a, b) * 3 + 0.1, speaker=who) for a, b, who in spans
    )
    plain = merge(MergeInput(duration=90.0, tracks=MONO, parts=tuple(parts)))
    found = merge(
        MergeInput(
            duration=90.0,
            tracks=MONO,
            parts=tuple(parts),
            speaker_mode=SpeakerMode.DIARIZE,
            turns={0: turns},
        )
    )
    assert [word.text for word in found.words()] == [word.text for word in plain.words()]
    assert found.text.replace(" ", "") == plain.text.replace(" ", "")
    if turns:
        assert all(each.speaker == word.speaker for each in found.segments for word in each.words)

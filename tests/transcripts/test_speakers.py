"""Words get the speaker of the turn that they fall into."""

from dalston.transcripts import Segment, Turn, Word
from dalston.transcripts.speakers import diarize


def turn(start: float, end: float, speaker: str) -> Turn:
    return Turn(start=start, end=end, speaker=speaker)


def said(text: str, *times: tuple[float, float]) -> Segment:
    words = tuple(
        Word(text=each, start=start, end=end)
        for each, (start, end) in zip(text.split(), times, strict=True)
    )
    return Segment(text=text, start=times[0][0], end=times[-1][1], words=words)


def who(segments: list[Segment]) -> list[tuple[str | None, str]]:
    return [(each.speaker, each.text) for each in segments]


def test_segments_end_where_the_speaker_changes() -> None:
    segment = said("Yes? No.", (0.0, 0.9), (1.1, 2.0))
    found = diarize([segment], [turn(0, 1, "b"), turn(1, 2, "a")])
    assert who(found.segments) == [("speaker_0", "Yes?"), ("speaker_1", "No.")]
    assert [(each.start, each.end) for each in found.segments] == [(0.0, 0.9), (1.1, 2.0)]


def test_a_word_goes_to_who_talks_most_of_it() -> None:
    segment = said("straddling", (0.0, 1.0))
    found = diarize([segment], [turn(0, 0.3, "a"), turn(0.3, 2, "b")])
    assert found.segments[0].words[0].speaker == "speaker_0"
    assert found.turns[1].speaker == "speaker_0"


def test_a_word_outside_all_turns_goes_to_the_nearest() -> None:
    segments = [said("early", (0.0, 0.5)), said("late", (9.0, 9.5))]
    found = diarize(segments, [turn(1, 2, "a"), turn(6, 8, "b")])
    assert [speaker for speaker, _ in who(found.segments)] == ["speaker_0", "speaker_1"]


def test_a_long_turn_is_found_behind_short_ones() -> None:
    turns = [turn(0, 100, "host"), *[turn(n, n + 0.2, "guest") for n in range(1, 50)]]
    found = diarize([said("still", (60.0, 60.5))], turns)
    assert found.segments[0].speaker == "speaker_0"
    assert found.speakers[0].seconds == 100.0


def test_exclusive_turns_decide_where_turns_overlap() -> None:
    overlapping = [turn(0, 4, "a"), turn(1, 3, "b")]
    exclusive = [turn(0, 1, "a"), turn(1, 3, "b"), turn(3, 4, "a")]
    found = diarize([said("mine yours", (0.2, 0.8), (1.2, 2.8))], overlapping, exclusive)
    assert [speaker for speaker, _ in who(found.segments)] == ["speaker_0", "speaker_1"]
    assert len(found.turns) == 2


def test_tiny_turns_are_folded() -> None:
    segment = said("I uh think so", (0.0, 0.4), (0.45, 0.6), (0.65, 1.0), (1.05, 1.5))
    turns = [turn(0, 0.42, "a"), turn(0.42, 0.62, "b"), turn(0.62, 2, "a")]
    assert len(diarize([segment], turns).segments) == 1


def test_a_short_answer_between_pauses_is_kept() -> None:
    segment = said("Sure? Yes. Good.", (0.0, 0.5), (1.2, 1.4), (2.1, 2.6))
    turns = [turn(0, 1, "a"), turn(1.1, 1.5, "b"), turn(2, 3, "a")]
    assert len(diarize([segment], turns).segments) == 3


def test_segments_without_words_get_one_speaker() -> None:
    segments = [Segment(text="one", start=0.0, end=1.0), Segment(text="two", start=1.0, end=2.0)]
    found = diarize(segments, [turn(0, 1, "x"), turn(1, 2, "y")])
    assert who(found.segments) == [("speaker_0", "one"), ("speaker_1", "two")]


def test_words_without_times_follow_the_word_before() -> None:
    words = (Word(text="a", start=0.0, end=0.5), Word(text="b"), Word(text="c", start=5.0, end=5.5))
    segment = Segment(text="a b c", start=0.0, end=5.5, words=words)
    found = diarize([segment], [turn(0, 1, "x"), turn(5, 6, "y")])
    assert who(found.segments) == [("speaker_0", "a b"), ("speaker_1", "c")]


def test_silent_speakers_come_last() -> None:
    found = diarize([said("hello", (5.0, 5.5))], [turn(0, 1, "mute"), turn(5, 6, "loud")])
    assert [each.speaker for each in found.turns] == ["speaker_1", "speaker_0"]
    assert [each.id for each in found.speakers] == ["speaker_0", "speaker_1"]

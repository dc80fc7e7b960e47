"""The pure steps of the engine faster-whisper: spans, windows, guard, words, coverage, segments."""

from collections.abc import Iterator

import numpy as np
import pytest
from dalston_faster_whisper.coverage import missed_speech, settled
from dalston_faster_whisper.guard import Alarm, Decoded, alarm, loops, token_cap
from dalston_faster_whisper.languages import whisper_language
from dalston_faster_whisper.request import Word
from dalston_faster_whisper.segments import sentences
from dalston_faster_whisper.speech import FRAME_SECONDS, MAX_SPAN_SECONDS, speech_spans
from dalston_faster_whisper.windows import MAX_SECONDS, Window, batches, plan_windows
from dalston_faster_whisper.words import fitted_to_speech, with_punctuation


def words(*given: tuple[str, float, float]) -> list[Word]:
    return [Word(text, start, end, 0.9) for text, start, end in given]


def frames(*given: tuple[float, float]) -> np.ndarray:
    """Probabilities of speech: (seconds, value) one after the other."""
    pieces = [np.full(round(seconds / FRAME_SECONDS), value) for seconds, value in given]
    return np.concatenate(pieces).astype(np.float32)


def spans_of(probabilities: np.ndarray) -> list[tuple[float, float]]:
    return speech_spans(probabilities, duration=len(probabilities) * FRAME_SECONDS)


def decoded(text: str, *, avg_logprob: float = -0.2, finished: bool = True) -> Decoded:
    return Decoded((1,), text, avg_logprob, 0.1, finished)


def test_spans_end_only_after_a_silence_of_some_length() -> None:
    found = spans_of(frames((1, 0.0), (1, 0.9), (0.1, 0.0), (1, 0.9), (1, 0.0), (1, 0.9)))
    assert np.allclose(found, [[1.0, 3.1], [4.1, 5.1]], atol=0.1)


def test_spans_go_on_through_doubtful_frames() -> None:
    assert len(spans_of(frames((1, 0.9), (1, 0.4), (1, 0.9)))) == 1


def test_spans_of_a_click_are_none() -> None:
    assert spans_of(frames((1, 0.0), (0.064, 0.9), (1, 0.0))) == []


def test_spans_without_silence_are_cut_where_speech_is_least_likely() -> None:
    found = spans_of(frames((20, 0.9), (0.1, 0.6), (20, 0.9)))
    assert [round(start, 1) for start, _ in found] == [0.0, pytest.approx(20.0, abs=0.1)]
    assert all(end - start <= MAX_SPAN_SECONDS for start, end in found)


def every_second(count: int, *, pause: float) -> Iterator[tuple[float, float]]:
    for index in range(count):
        yield index * (1 + pause), index * (1 + pause) + 1


def test_windows_hold_all_speech_once_and_are_short_enough() -> None:
    spans = list(every_second(200, pause=0.3))
    found = plan_windows(spans, duration=260, target=12)
    assert [span for window in found for span in window.spans] == spans
    assert all(window.seconds <= MAX_SECONDS for window in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))


def test_windows_are_about_as_long_as_asked() -> None:
    found = plan_windows(list(every_second(200, pause=0.3)), duration=260, target=12)
    assert 9 < np.mean([window.seconds for window in found]) < 16


def test_windows_are_parted_in_the_long_pause() -> None:
    spans = [(0.0, 4.0), (4.2, 8.0), (8.2, 10.0), (12.0, 16.0), (16.2, 20.0)]
    found = plan_windows(spans, duration=20, target=12)
    assert [window.spans[0][0] for window in found] == [0.0, 12.0]


def test_windows_of_silence_are_none() -> None:
    assert plan_windows([], duration=60, target=12) == []


def test_batches_hold_like_lengths_and_give_every_thread_some() -> None:
    windows = [Window(0, seconds, ()) for seconds in (3, 9, 4, 8)]
    assert batches(windows, rows=8, parallel=2) == [[1, 3], [2, 0]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ask not what your country can do for you.", None),
        ("and asked " * 30, Alarm.REPETITIVE),
        ("no no no no no no no no", Alarm.REPETITIVE),
        (" ", Alarm.EMPTY),
    ],
)
def test_alarm_knows_loops_and_empty_text(text: str, reason: Alarm | None) -> None:
    assert alarm(decoded(text), spoken_seconds=5) == reason


def test_alarm_rings_for_text_without_end_and_for_doubt() -> None:
    assert alarm(decoded("One two", finished=False), spoken_seconds=5) is Alarm.UNFINISHED
    assert alarm(decoded("One two", avg_logprob=-1.4), spoken_seconds=5) is Alarm.UNLIKELY


def test_loops_of_long_phrases_are_found_and_lists_are_none() -> None:
    assert loops("what can you do for me".split() * 6)
    assert not loops("one two three four five six seven eight nine ten".split() * 2)


def test_token_cap_leaves_room_for_fast_speech() -> None:
    assert token_cap(10.0) > 100


def test_punctuation_joins_the_word_it_belongs_to() -> None:
    found = with_punctuation(
        words((' "', 0, 0.1), (" Ask", 0.1, 0.5), (" not", 0.5, 0.9), (".", 0.9, 1), ('"', 1, 1.1))
    )
    assert [(word.text, word.start, word.end) for word in found] == [
        (' "Ask', 0.1, 0.5),
        (' not."', 0.5, 0.9),
    ]


def test_words_do_not_last_over_silence() -> None:
    found = fitted_to_speech(words((" ask", 1.9, 3.6), (" not", 3.6, 4.0)), [(0, 2), (3, 4)])
    assert found[0].start == pytest.approx(2.95)
    assert found[1].end == 4.0


def test_words_run_forwards_and_do_not_overlap() -> None:
    found = fitted_to_speech(words((" a", 1.0, 1.5), (" b", 1.2, 1.3)), [(0, 4)])
    assert found[0].end <= found[1].start < found[1].end


def test_missed_speech_is_what_lies_between_words_far_apart() -> None:
    spans = [(0.0, 1.0), (3.0, 6.0), (7.0, 8.0)]
    found = missed_speech(words((" one", 0.0, 1.0), (" two", 7.0, 8.0)), spans)
    assert [window.spans for window in found] == [((3.0, 6.0),)]


def test_missed_speech_leaves_out_the_end_of_a_long_word() -> None:
    spans = [(0.0, 2.0), (3.0, 6.0)]
    found = missed_speech(words((" one", 0.0, 2.0)), spans)
    assert [window.spans for window in found] == [((3.0, 6.0),)]


def test_missed_speech_is_found_at_the_end_of_the_window() -> None:
    found = missed_speech(words((" one", 0.0, 1.0)), [(0.0, 1.0), (2.0, 8.0)])
    assert (found[0].start, found[0].end) == (pytest.approx(1.7), pytest.approx(8.3))


def test_missed_speech_is_none_where_words_follow_each_other() -> None:
    assert missed_speech(words((" one", 0.1, 0.9), (" two", 1.1, 2.0)), [(0.0, 2.0)]) == []


def test_word_alone_in_missed_speech_goes_back_to_its_sentence() -> None:
    given = words((" best", 1.0, 1.4), (" week.", 5.0, 7.0))
    assert settled(given, [(0.0, 10.0)])[1].start == 1.4


def texts(*given: tuple[str, float, float]) -> list[str]:
    return [s.text for s in sentences(words(*given), avg_logprob=-0.1, no_speech_prob=0.0)]


def test_segments_are_sentences() -> None:
    assert texts((" One", 0, 1), (" two.", 1, 2), (" Three?", 2, 3)) == ["One two.", "Three?"]


def test_segments_are_not_cut_behind_abbreviations_and_inside_numbers() -> None:
    assert texts((" Mr.", 0, 1), (" Dashwood", 1, 2), (" 3.", 2, 3), ("5", 3, 4)) == [
        "Mr. Dashwood 3.5"
    ]


def test_segments_are_cut_at_long_pauses() -> None:
    assert texts((" One", 0, 1), (" two", 4, 5)) == ["One", "two"]


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en", "en"), ("eng", "en"), ("pt-BR", "pt"), ("deu", "de"), ("nb", "no"), ("yue", "yue")],
)
def test_language_tags_are_known_in_all_their_forms(tag: str, code: str) -> None:
    assert whisper_language(tag, ["en", "pt", "de", "no", "yue"]) == code


def test_language_that_the_model_lacks_is_none() -> None:
    assert whisper_language("tlh", ["en"]) is None
    assert whisper_language("deu", ["en"]) is None

"""The items of an answer."""

import math

import pytest
from dalston_gateway.elevenlabs.form import Granularity
from dalston_gateway.elevenlabs.words import items_of, text_of, write_items
from hypothesis import given
from hypothesis import strategies as st

from dalston.transcripts import AudioEvent, Character, Segment, Word


def segment(text: str, *words: Word, **more: object) -> Segment:
    return Segment.model_validate({"text": text, "words": words, **more})


def word(text: str, start: float, end: float, **more: object) -> Word:
    return Word.model_validate({"text": text, "start": start, "end": end, **more})


HELLO = segment("Hello world", word("Hello", 0.1, 0.5), word("world", 0.7, 1.0), start=0.1, end=1.0)
AGAIN = segment("Again.", word("Again.", 2.0, 2.5), start=2.0, end=2.5)


def test_items_put_spacing_between_words_and_segments() -> None:
    items = items_of([HELLO, AGAIN])
    assert [item.text for item in items] == ["Hello", " ", "world", " ", "Again."]
    assert [item.type for item in items] == ["word", "spacing", "word", "spacing", "word"]
    assert [(item.start, item.end) for item in items if item.type == "spacing"] == [
        (0.5, 0.7),
        (1.0, 2.0),
    ]


def test_items_put_no_spacing_where_the_script_has_none() -> None:
    spoken = segment("你好", word("你", 0.0, 0.2), word("好", 0.2, 0.4))
    assert [item.text for item in items_of([spoken, spoken])] == ["你", "好", "你", "好"]


def test_items_give_punctuation_to_the_word_that_it_touches() -> None:
    spoken = segment('"Yes," she said', word("Yes", 0, 1), word("she", 1, 2), word("said", 2, 3))
    assert [item.text for item in items_of([spoken])] == ['"Yes,"', " ", "she", " ", "said"]


def test_items_without_word_times_are_cut_at_spaces() -> None:
    items = items_of([segment("no times here", avg_logprob=-0.5)])
    assert [item.text for item in items] == ["no", " ", "times", " ", "here"]
    assert {item.start for item in items} == {None}
    assert [item.logprob for item in items] == [-0.5, 0.0, -0.5, 0.0, -0.5]


def test_items_place_events_before_what_follows_them() -> None:
    events = [
        AudioEvent(label="laughter", start=1.2, end=1.8),
        AudioEvent(label="a", start=9, end=9),
    ]
    items = items_of([HELLO, AGAIN], events)
    assert text_of(items) == "Hello world (laughter) Again. (a)"
    assert [item.type for item in items if item.text == "(laughter)"] == ["audio_event"]


def test_items_place_an_event_inside_a_segment() -> None:
    items = items_of([HELLO], [AudioEvent(label="cough", start=0.55, end=0.65)])
    assert text_of(items) == "Hello (cough) world"


def test_items_of_silence_are_none() -> None:
    assert items_of([]) == []
    assert items_of([segment("  ")]) == []


@given(st.lists(st.text("ab ,.你", max_size=12), max_size=4))
def test_text_of_items_never_doubles_spaces_between_segments(texts: list[str]) -> None:
    shown = text_of(items_of([segment(text.strip()) for text in texts if text.strip()]))
    assert shown == shown.strip()
    assert [each for each in shown if each != " "] == [
        each for text in texts for each in text if each != " "
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(-0.25, -0.25), (-math.inf, -100.0), (0.5, 0.0), (math.nan, 0.0), (None, 0.0)],
)
def test_entries_have_a_finite_logprob(given: float | None, expected: float) -> None:
    spoken = segment("a", Word(text="a", logprob=given))
    (entry,) = write_items(items_of([spoken]), Granularity.WORD, speakers=False)
    assert entry["logprob"] == expected


def test_entries_without_times_have_no_such_keys() -> None:
    entries = write_items(items_of([HELLO]), Granularity.NONE, speakers=False)
    assert entries[0] == {"text": "Hello", "type": "word", "logprob": 0.0}


def test_entries_name_speakers_when_asked() -> None:
    spoken = segment(
        "a b", word("a", 0, 1), word("b", 1, 2, speaker="speaker_1"), speaker="speaker_0"
    )
    entries = write_items(items_of([spoken]), Granularity.WORD, speakers=True)
    assert [entry["speaker_id"] for entry in entries] == ["speaker_0", "speaker_0", "speaker_1"]
    assert "speaker_id" not in write_items(items_of([spoken]), Granularity.WORD, speakers=False)[0]


def test_characters_are_the_measured_ones() -> None:
    measured = (Character(text="h", start=0, end=0.9), Character(text="i", start=0.9, end=1))
    spoken = segment("hi", word("hi", 0, 1, characters=measured))
    (entry,) = write_items(items_of([spoken]), Granularity.CHARACTER, speakers=False)
    assert entry["characters"] == [
        {"text": "h", "start": 0, "end": 0.9},
        {"text": "i", "start": 0.9, "end": 1},
    ]


def test_characters_that_nobody_measured_are_spread_over_the_word() -> None:
    entries = write_items(items_of([HELLO]), Granularity.CHARACTER, speakers=False)
    assert [each["text"] for each in entries[0]["characters"]] == list("Hello")
    assert entries[0]["characters"][0]["start"] == 0.1
    assert entries[0]["characters"][-1]["end"] == 0.5
    assert [len(entry["characters"]) for entry in entries] == [5, 1, 5]


def test_characters_of_words_without_times_have_none() -> None:
    (entry,) = write_items(items_of([segment("a")]), Granularity.CHARACTER, speakers=False)
    assert entry["characters"] == [{"text": "a", "start": None, "end": None}]

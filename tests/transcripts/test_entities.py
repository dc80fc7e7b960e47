"""Entities keep their place; what is redacted is in no word."""

import pytest

from dalston.transcripts import Entity, MergeInput, MergePart, MergeTrack, Segment, Word, merge
from dalston.transcripts.redaction import RedactionMismatch

TEXTS = ("I am Ann Lee.", "Call 555 0199 or Ann.")
TEXT = "I am Ann Lee. Call 555 0199 or Ann."


def part() -> MergePart:
    segments = []
    for index, text in enumerate(TEXTS):
        words = tuple(
            Word(text=each, start=5.0 * index + n, end=5.0 * index + n + 0.5)
            for n, each in enumerate(text.split())
        )
        segments.append(Segment(text=text, words=words, start=words[0].start, end=words[-1].end))
    return MergePart(0, 0.0, 60.0, tuple(segments))


def entity(text: str, type: str, *, after: int = 0) -> Entity:
    start = TEXT.index(text, after)
    return Entity(text=text, type=type, start_char=start, end_char=start + len(text))


ENTITIES = (
    entity("Ann Lee", "name"),
    entity("555 0199", "phone_number"),
    entity("Ann", "name", after=20),
)


def given(**options: object) -> MergeInput:
    base = {"duration": 60.0, "tracks": (MergeTrack(0),), "parts": (part(),), "entities": ENTITIES}
    return MergeInput(**(base | options))  # type: ignore[arg-type]


def test_entities_get_the_times_of_their_words() -> None:
    found = merge(given()).entities or ()
    assert [(each.text, each.start, each.end) for each in found] == [
        ("Ann Lee", 2.0, 3.5),
        ("555 0199", 6.0, 7.5),
        ("Ann", 9.0, 9.5),
    ]


def test_entities_follow_a_refined_text() -> None:
    refined = (Segment(text="Well, I am Ann Lee."), Segment(text="Call Ann."))
    found = merge(given(refined=refined))
    assert [found.text[e.start_char : e.end_char] for e in found.entities or ()] == [
        "Ann Lee",
        "Ann",
    ]
    assert "1 detected entities" in found.warnings[0]


def test_redaction_reaches_segments_and_words() -> None:
    redacted = "I am {NAME_1}. Call {PHONE_NUMBER_1} or {NAME_2}."
    found = merge(given(redacted_text=redacted))
    assert found.text == redacted
    assert [word.text for word in found.words()] == [
        "I", "am", "{NAME_1}.", "Call", "{PHONE_NUMBER_1}", "or", "{NAME_2}.",
    ]  # fmt: skip
    name = found.words()[2]
    assert (name.start, name.end) == (2.0, 3.5)
    assert found.entities is None
    assert "Ann" not in found.model_dump_json()
    assert "555" not in found.model_dump_json()


def test_entities_that_are_only_marked_stay() -> None:
    found = merge(given(redacted_text="I am Ann Lee. Call {REDACTED} or Ann."))
    assert found.text == "I am Ann Lee. Call {REDACTED} or Ann."
    assert "Lee." in [word.text for word in found.words()]


def test_a_redaction_of_another_text_is_refused() -> None:
    with pytest.raises(RedactionMismatch):
        merge(given(redacted_text="Something {NAME_1} else."))

"""MERGE makes one transcript of the results that earlier stages left in the store."""

from pathlib import Path

import pytest

from dalston.engine_sdk import (
    AlignResult,
    DetectResult,
    DiarizeResult,
    EngineDefect,
    Entity,
    MergeResult,
    Part,
    PrepareResult,
    RefineResult,
    Segment,
    SpeakerMode,
    Speakers,
    Stage,
    StageResult,
    TaskKind,
    Timestamps,
    Track,
    TranscribeResult,
    Transcript,
    TranscriptionOptions,
    Turn,
    Word,
)
from tests.engines.folder_task import folder_task, load_engine

PREPARED = PrepareResult(
    duration=20.0,
    channels=1,
    sample_rate=44_100,
    container="mp3",
    codec="mp3",
    tracks=(Track(index=0, audio="audio.wav", duration=20.0),),
    parts=(
        Part(index=0, track=0, start=0.0, end=10.0),
        Part(index=1, track=0, start=10.0, end=20.0),
    ),
    warnings=("The recording ends early.",),
)


def segment(text: str, start: float = 1.0, *, step: float = 0.5) -> Segment:
    words = tuple(
        Word(text=each, start=start + n * step, end=start + (n + 1) * step)
        for n, each in enumerate(text.split())
    )
    return Segment(text=text, start=start, end=words[-1].end, words=words)


def heard(text: str, language: str = "en") -> TranscribeResult:
    return TranscribeResult(
        language=language, language_probability=0.8, segments=(segment(text),), warnings=("Noisy.",)
    )


def merged(
    folder: Path, options: TranscriptionOptions | None = None, **results: list[StageResult]
) -> Transcript:
    found = {Stage.PREPARE: [PREPARED], **{Stage(name): each for name, each in results.items()}}
    task = folder_task(folder, Stage.MERGE, options=options, results=found)  # type: ignore[arg-type]
    result = load_engine("merge", "final-merger").process(task)
    assert isinstance(result, MergeResult)
    return result.transcript


def test_parts_become_a_transcript(tmp_path: Path) -> None:
    found = merged(tmp_path, transcribe=[heard("Hello there."), heard("And goodbye.")])
    assert found.text == "Hello there. And goodbye."
    assert [word.start for word in found.words()] == [1.0, 1.5, 11.0, 11.5]
    assert (found.language, found.duration, found.channels) == ("en", 20.0, 1)
    assert found.language_probability == pytest.approx(0.8)
    assert found.warnings == ("The recording ends early.", "Noisy.")
    assert found.engines == {"prepare": "audio-prepare", "merge": "test"}


def test_aligned_times_are_preferred(tmp_path: Path) -> None:
    aligned = [AlignResult(segments=(segment("Hello there.", 2.0),)) for _ in range(2)]
    found = merged(tmp_path, transcribe=[heard("Hello there.")] * 2, align=aligned)
    assert [each.start for each in found.segments] == [2.0, 12.0]
    assert found.language == "en"


def test_speakers_come_from_diarization(tmp_path: Path) -> None:
    turns = (Turn(start=0, end=1.5, speaker="B"), Turn(start=1.5, end=20, speaker="A"))
    options = TranscriptionOptions(speakers=Speakers(mode=SpeakerMode.DIARIZE))
    found = merged(
        tmp_path,
        options,
        transcribe=[heard("Yes. No."), heard("Maybe.")],
        diarize=[DiarizeResult(turns={0: turns}, exclusive={0: turns})],
    )
    assert [(each.speaker, each.text) for each in found.segments] == [
        ("speaker_0", "Yes."),
        ("speaker_1", "No."),
        ("speaker_1", "Maybe."),
    ]


def test_detected_and_refined_are_taken_over(tmp_path: Path) -> None:
    entity = Entity(text="Ann", type="name", start_char=3, end_char=6)
    found = merged(
        tmp_path,
        transcribe=[heard("um Ann"), heard("ok")],
        detect=[DetectResult(entities=(entity,))],
        refine=[RefineResult(segments=(segment("Ann, OK."),), edited_text="ANN")],
    )
    assert (found.text, found.edited_text) == ("Ann, OK.", "ANN")
    assert [(each.text, each.start_char) for each in found.entities or ()] == [("Ann", 0)]


@pytest.mark.parametrize(
    ("options", "language"),
    [
        (TranscriptionOptions(language="fr"), "fr"),
        (TranscriptionOptions(language="fr", task=TaskKind.TRANSLATE), "en"),
    ],
)
def test_a_given_language_is_not_judged(
    tmp_path: Path, options: TranscriptionOptions, language: str
) -> None:
    found = merged(tmp_path, options, transcribe=[heard("oui"), heard("non")])
    assert (found.language, found.language_probability) == (language, None)


def test_times_are_as_fine_as_asked(tmp_path: Path) -> None:
    options = TranscriptionOptions(timestamps=Timestamps.SEGMENT)
    found = merged(tmp_path, options, transcribe=[heard("one"), heard("two")])
    assert found.words() == []
    assert found.segments[1].start == 11.0


def test_missing_parts_are_a_defect(tmp_path: Path) -> None:
    with pytest.raises(EngineDefect, match="1 transcribed"):
        merged(tmp_path, transcribe=[heard("only one")])

"""MERGE: the results of all stages in, the finished transcript out; see `dalston.transcripts.merging`."""

from dalston.engine_sdk import (
    AlignResult,
    DetectResult,
    DiarizeResult,
    Engine,
    EngineDefect,
    MergeInput,
    MergePart,
    MergeResult,
    MergeTrack,
    PrepareResult,
    RefineResult,
    Stage,
    StageResult,
    Task,
    TaskKind,
    TranscribeResult,
    merge,
)


class FinalMerger(Engine):
    """Reads results, no audio; the merging itself is a pure function."""

    def process(self, task: Task) -> MergeResult:
        """Merge; raises EngineDefect when the parts' results are not all there."""
        transcript = merge(gather(task))
        return MergeResult(transcript=transcript, warnings=transcript.warnings)


def gather(task: Task) -> MergeInput:
    """Collect what the earlier stages found."""
    prepared = task.prepared
    if prepared is None:
        raise EngineDefect("MERGE needs the result of PREPARE")
    options = task.options
    diarized = task.results_of(DiarizeResult)
    detected = task.results_of(DetectResult)
    refined = task.results_of(RefineResult)
    entities = [result.entities for result in detected if result.entities is not None]
    return MergeInput(
        duration=prepared.duration,
        tracks=tuple(MergeTrack(track.index, track.channel) for track in prepared.tracks),
        parts=_parts(task, prepared),
        speaker_mode=options.speakers.mode,
        timestamps=options.timestamps,
        language="en" if options.task is TaskKind.TRANSLATE else options.language,
        turns={track: turns for result in diarized for track, turns in result.turns.items()},
        exclusive={
            track: turns for result in diarized for track, turns in result.exclusive.items()
        },
        refined=next((r.segments for r in refined if r.segments is not None), None),
        edited_text=next((r.edited_text for r in refined if r.edited_text is not None), None),
        events=tuple(event for result in detected for event in result.events),
        entities=tuple(entity for found in entities for entity in found) if entities else None,
        redacted_text=next(
            (r.redacted_text for r in detected if r.redacted_text is not None), None
        ),
        warnings=_warnings(task),
        engines={stage.value: name for stage, name in task.request.engines.items()},
    )


def _parts(task: Task, prepared: PrepareResult) -> tuple[MergePart, ...]:
    transcribed = task.results_of(TranscribeResult)
    aligned: list[AlignResult | None] = [*task.results_of(AlignResult)]
    if len(transcribed) != len(prepared.parts) or len(aligned) not in (0, len(prepared.parts)):
        raise EngineDefect(
            f"MERGE has {len(transcribed)} transcribed and {len(aligned)} aligned parts of "
            f"{len(prepared.parts)}"
        )
    aligned = aligned or [None] * len(transcribed)
    return tuple(
        MergePart(
            track=part.track,
            start=part.start,
            end=part.end,
            segments=text.segments if times is None else times.segments,
            language=text.language,
            language_probability=text.language_probability,
        )
        for part, text, times in zip(prepared.parts, transcribed, aligned, strict=True)
    )


def _warnings(task: Task) -> tuple[str, ...]:
    """Give the warnings of all stages, each once."""
    stages = [stage for stage in Stage if stage is not Stage.MERGE]
    results: list[StageResult] = [result for stage in stages for result in task.results(stage)]
    return tuple(dict.fromkeys(warning for result in results for warning in result.warnings))

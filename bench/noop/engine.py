"""An engine that performs every stage and does nothing."""

from dalston.engine_sdk import (
    AlignResult,
    DetectResult,
    DiarizeResult,
    Engine,
    MergeResult,
    Part,
    PrepareResult,
    RefineResult,
    Stage,
    StageResult,
    Task,
    Track,
    TranscribeResult,
    Transcript,
)

_SECONDS = 1.0
_RESULTS: dict[Stage, StageResult] = {
    Stage.PREPARE: PrepareResult(
        duration=_SECONDS,
        channels=1,
        sample_rate=16000,
        container="none",
        codec="none",
        tracks=(Track(index=0, audio="track-0.wav", duration=_SECONDS),),
        parts=(Part(index=0, track=0, start=0.0, end=_SECONDS),),
    ),
    Stage.TRANSCRIBE: TranscribeResult(language="en"),
    Stage.ALIGN: AlignResult(),
    Stage.DIARIZE: DiarizeResult(),
    Stage.DETECT: DetectResult(),
    Stage.REFINE: RefineResult(),
    Stage.MERGE: MergeResult(transcript=Transcript(language="en", duration=_SECONDS, text="")),
}


class NoopEngine(Engine):
    """Answers every task at once."""

    def process(self, task: Task) -> StageResult:
        """Give the same empty result each time."""
        if task.request.stage == Stage.PREPARE:
            task.output("track-0.wav").write_bytes(b"")
        return _RESULTS[task.request.stage]

"""What each stage answers; stored as `result.json` beside the files that it names.

Times in the results of a part are seconds from the start of that part's audio, not of the track:
MERGE adds `Part.start`. File names are relative to the folder of the result.
"""

from pydantic import BaseModel, ConfigDict, Field

from dalston.resources.stages import Stage
from dalston.transcripts import AudioEvent, Entity, Segment, Transcript, Turn


class StageResult(BaseModel):
    """What a stage answers; `warnings` tell what was asked for and could not be done."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    warnings: tuple[str, ...] = ()


class Track(BaseModel):
    """One stream of 16 kHz mono 16-bit PCM in a WAV file: the whole recording, or one channel.

    `channel` is None when the channels were mixed. `speech` are the (start, end) seconds that are
    not silent.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    channel: int | None = None
    audio: str
    duration: float
    speech: tuple[tuple[float, float], ...] = ()


class Part(BaseModel):
    """A piece of a track for one task of TRANSCRIBE and ALIGN; parts cover their track."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    track: int
    start: float
    end: float


class PrepareResult(StageResult):
    """The recording in a form that engines read; `duration` is seconds of its first audio stream."""

    duration: float
    channels: int
    sample_rate: int
    container: str
    codec: str
    tracks: tuple[Track, ...]
    parts: tuple[Part, ...]


class TranscribeResult(StageResult):
    """What one part says; segments have words when word times were asked for."""

    language: str | None = None
    language_probability: float | None = None
    segments: tuple[Segment, ...] = ()


class AlignResult(StageResult):
    """The segments of one part with measured word times; `aligned` is False when they are not."""

    aligned: bool = True
    segments: tuple[Segment, ...] = ()


class DiarizeResult(StageResult):
    """Who speaks when in each track; `exclusive` turns do not overlap."""

    turns: dict[int, tuple[Turn, ...]] = Field(default_factory=dict)
    exclusive: dict[int, tuple[Turn, ...]] = Field(default_factory=dict)
    embeddings: dict[str, tuple[float, ...]] = Field(default_factory=dict)


class DetectResult(StageResult):
    """Events heard and entities found; `redacted_text` and `redacted_audio` where asked for."""

    events: tuple[AudioEvent, ...] = ()
    entities: tuple[Entity, ...] | None = None
    redacted_text: str | None = None
    redacted_audio: tuple[str, ...] = ()


class RefineResult(StageResult):
    """The cleaned segments, and the text edited by instruction."""

    segments: tuple[Segment, ...] | None = None
    edited_text: str | None = None


class MergeResult(StageResult):
    """The finished transcript."""

    transcript: Transcript


RESULT_TYPES: dict[Stage, type[StageResult]] = {
    Stage.PREPARE: PrepareResult,
    Stage.TRANSCRIBE: TranscribeResult,
    Stage.ALIGN: AlignResult,
    Stage.DIARIZE: DiarizeResult,
    Stage.DETECT: DetectResult,
    Stage.REFINE: RefineResult,
    Stage.MERGE: MergeResult,
}

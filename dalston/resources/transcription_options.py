"""What a transcript is to hold, and where the recording is."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from dalston.resources.meta import KubeModel


class SourceFormat(StrEnum):
    """How the bytes of a source are to be read."""

    AUTO = "auto"
    PCM_S16LE_16 = "pcm_s16le_16"


class Source(KubeModel):
    """Where the recording is: exactly one of a URL and a key in the artifact store."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.url) != has(self.artifact)",
                    "message": "exactly one of url and artifact must be set",
                }
            ]
        }
    )

    url: str | None = Field(
        default=None,
        max_length=4096,
        pattern=r"^https?://",
        description="HTTP or HTTPS address that the recording is fetched from.",
    )
    artifact: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Key of the recording in the artifact store.",
    )
    file_name: str | None = Field(
        default=None, max_length=255, description="Name of the recording, for people."
    )
    format: SourceFormat = Field(
        default=SourceFormat.AUTO,
        description="auto: any container and codec; pcm_s16le_16: raw 16-bit little-endian mono at 16 kHz.",
    )


class TaskKind(StrEnum):
    """What TRANSCRIBE writes: the spoken language, or English."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Timestamps(StrEnum):
    """The finest times that the transcript carries."""

    NONE = "none"
    SEGMENT = "segment"
    WORD = "word"
    CHARACTER = "character"


class SpeakerMode(StrEnum):
    """How speakers are told apart: not at all, by voice, or by channel."""

    NONE = "none"
    DIARIZE = "diarize"
    CHANNELS = "channels"


class Speakers(KubeModel):
    """How speakers are told apart."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.min) || !has(self.max) || self.min <= self.max",
                    "message": "min must not exceed max",
                }
            ]
        }
    )

    mode: SpeakerMode = Field(
        default=SpeakerMode.NONE,
        description="none, diarize (by voice), or channels (each channel is transcribed alone).",
    )
    min: int | None = Field(default=None, ge=1, le=32, description="Fewest speakers to expect.")
    max: int | None = Field(default=None, ge=1, le=32, description="Most speakers to expect.")
    threshold: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Distance above which two voices are two speakers.",
    )


class RedactionMode(StrEnum):
    """What stands in the text in place of a redacted entity."""

    REDACTED = "redacted"
    ENTITY_TYPE = "entity_type"
    ENUMERATED_ENTITY_TYPE = "enumerated_entity_type"


EntityName = Annotated[str, Field(min_length=1, max_length=64)]


class Redaction(KubeModel):
    """What is removed from the transcript and the audio."""

    entities: list[EntityName] = Field(
        default_factory=list, max_length=100, description="Entity types or groups to redact."
    )
    mode: RedactionMode = Field(
        default=RedactionMode.ENUMERATED_ENTITY_TYPE,
        description="redacted: {REDACTED}; entity_type: {NAME}; enumerated_entity_type: {NAME_1}.",
    )
    audio: bool = Field(default=False, description="Silence the redacted spans in the audio too.")


class Detect(KubeModel):
    """What DETECT looks for."""

    audio_events: bool = Field(default=False, description="Mark laughter, applause, music, ...")
    entities: list[EntityName] = Field(
        default_factory=list, max_length=100, description="Entity types or groups to mark."
    )
    redaction: Redaction | None = Field(default=None, description="What to redact.")


class Refine(KubeModel):
    """What REFINE changes in the text."""

    no_verbatim: bool = Field(default=False, description="Drop fillers and false starts.")
    instruction: str | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description="Instruction to the language model.",
    )


VocabularyTerm = Annotated[str, Field(min_length=1, max_length=100)]


class TranscriptionOptions(KubeModel):
    """What the transcript is to hold; the part of the spec that engines see."""

    language: str | None = Field(
        default=None,
        min_length=2,
        max_length=16,
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="Language spoken, ISO 639-1 or 639-3; detected when absent.",
    )
    task: TaskKind = Field(
        default=TaskKind.TRANSCRIBE, description="transcribe, or translate to English."
    )
    timestamps: Timestamps = Field(
        default=Timestamps.WORD, description="The finest times that the transcript carries."
    )
    speakers: Speakers = Field(default_factory=Speakers, description="How speakers are told apart.")
    vocabulary: list[VocabularyTerm] = Field(
        default_factory=list, max_length=1000, description="Words and phrases to expect."
    )
    prompt: str | None = Field(
        default=None, min_length=1, max_length=2000, description="Text that precedes the recording."
    )
    temperature: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="Sampling temperature; the engine's own when absent.",
    )
    seed: int | None = Field(
        default=None, ge=0, le=2147483647, description="Seed of sampling, for repeatable output."
    )
    detect: Detect | None = Field(default=None, description="What DETECT looks for.")
    refine: Refine | None = Field(default=None, description="What REFINE changes in the text.")

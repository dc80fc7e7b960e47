"""What can be asked of a written transcript; the same options for every format.

Names, defaults and meanings follow the `additional_formats` of the ElevenLabs API (speech-to-text,
convert), so that a request's items are these options.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

MAX_CUE_SECONDS = 7.0
"""No subtitle stays longer, whatever is asked."""

MAX_LINES = 2
MAX_CHARACTERS_PER_SECOND = 20.0


class TranscriptFormat(StrEnum):
    """How a transcript can be written."""

    SRT = "srt"
    VTT = "vtt"
    TXT = "txt"
    JSON = "json"
    SEGMENTED_JSON = "segmented_json"


class FormatOptions(BaseModel):
    """How a transcript is written; None stands for the format's default.

    Subtitles (srt, vtt): no speakers, silence 0.8 s, 4 s, 84 characters, 42 a line. Text: speakers,
    times, 100 characters a line. Wide characters (Chinese, Japanese, Korean) count twice.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_speakers: bool | None = None
    include_timestamps: bool | None = None
    segment_on_silence_longer_than_s: float | None = Field(default=None, ge=0)
    max_segment_duration_s: float | None = Field(default=None, gt=0)
    max_segment_chars: int | None = Field(default=None, ge=1)
    max_characters_per_line: int | None = Field(default=None, ge=1)


@dataclass(frozen=True, slots=True)
class Layout:
    """Options with every default filled in; None stands for no limit."""

    speakers: bool
    timestamps: bool
    silence: float | None
    seconds: float | None
    characters: int | None
    line: int | None
    lines: int | None


def subtitle_layout(options: FormatOptions) -> Layout:
    """Fill in the defaults of srt and vtt."""
    line = _or(options.max_characters_per_line, 42)
    return Layout(
        speakers=_or(options.include_speakers, False),
        timestamps=_or(options.include_timestamps, True),
        silence=_or(options.segment_on_silence_longer_than_s, 0.8),
        seconds=min(_or(options.max_segment_duration_s, 4.0), MAX_CUE_SECONDS),
        characters=min(_or(options.max_segment_chars, 84), line * MAX_LINES),
        line=line,
        lines=MAX_LINES,
    )


def text_layout(options: FormatOptions) -> Layout:
    """Fill in the defaults of txt and segmented_json."""
    return Layout(
        speakers=_or(options.include_speakers, True),
        timestamps=_or(options.include_timestamps, True),
        silence=options.segment_on_silence_longer_than_s,
        seconds=options.max_segment_duration_s,
        characters=options.max_segment_chars,
        line=_or(options.max_characters_per_line, 100),
        lines=None,
    )


def _or(value: T | None, default: T) -> T:
    return default if value is None else value

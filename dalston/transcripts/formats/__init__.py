"""Transcripts written down: subtitles, text, JSON."""

from collections.abc import Callable
from dataclasses import dataclass

from dalston.transcripts.formats.blocks import segmented_json, txt
from dalston.transcripts.formats.options import FormatOptions, TranscriptFormat
from dalston.transcripts.formats.subtitles import srt, vtt
from dalston.transcripts.formats.times import NoTimes
from dalston.transcripts.model import Transcript

__all__ = ["FormatOptions", "NoTimes", "Rendered", "TranscriptFormat", "render"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A transcript in one format; `extension` has no dot."""

    text: str
    content_type: str
    extension: str


def _native(transcript: Transcript, options: FormatOptions) -> str:
    return transcript.model_dump_json(indent=2) + "\n"


_WRITERS: dict[TranscriptFormat, tuple[Callable[[Transcript, FormatOptions], str], str, str]] = {
    TranscriptFormat.SRT: (srt, "application/x-subrip", "srt"),
    TranscriptFormat.VTT: (vtt, "text/vtt", "vtt"),
    TranscriptFormat.TXT: (txt, "text/plain", "txt"),
    TranscriptFormat.JSON: (_native, "application/json", "json"),
    TranscriptFormat.SEGMENTED_JSON: (segmented_json, "application/json", "json"),
}


def render(
    transcript: Transcript, format: TranscriptFormat, options: FormatOptions | None = None
) -> Rendered:
    """Write a transcript; raises NoTimes for subtitles of a transcript without times."""
    write, content_type, extension = _WRITERS[format]
    return Rendered(write(transcript, options or FormatOptions()), content_type, extension)

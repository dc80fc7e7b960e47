"""SRT and WebVTT."""

from dalston.transcripts.formats.cues import Cue, cues_of
from dalston.transcripts.formats.options import FormatOptions, subtitle_layout
from dalston.transcripts.formats.times import clock, need_times, speaker_names
from dalston.transcripts.model import Transcript

_ARROW = "-->"


def srt(transcript: Transcript, options: FormatOptions) -> str:
    """Write SubRip: numbered cues, `[name] ` where the speaker changes."""
    need_times(transcript)
    layout = subtitle_layout(options)
    names = speaker_names(transcript) if layout.speakers else None
    blocks: list[str] = []
    for number, cue in enumerate(cues_of(transcript.segments, layout, names=names), start=1):
        # SubRip has no escapes: an arrow in the text would be taken for a line of times.
        text = "\n".join((cue.label + cue.lines[0], *cue.lines[1:])).replace(_ARROW, "→")
        span = f"{clock(cue.start, mark=',')} {_ARROW} {clock(cue.end, mark=',')}"
        blocks.append(f"{number}\n{span}\n{text}\n" if layout.timestamps else f"{text}\n")
    return "\n".join(blocks)


def vtt(transcript: Transcript, options: FormatOptions) -> str:
    """Write WebVTT: speakers as voice spans, text escaped."""
    need_times(transcript)
    layout = subtitle_layout(options)
    names = speaker_names(transcript) if layout.speakers else None
    blocks = ["WEBVTT\n"]
    for cue in cues_of(transcript.segments, layout):
        span = f"{clock(cue.start)} {_ARROW} {clock(cue.end)}"
        blocks.append(f"{span}\n{_voiced(cue, names)}\n")
    return "\n".join(blocks)


def _voiced(cue: Cue, names: dict[str, str] | None) -> str:
    text = "\n".join(_escape(line) for line in cue.lines)
    if names is None or cue.speaker is None:
        return text
    name = " ".join(_escape(names.get(cue.speaker, cue.speaker)).split())
    return f"<v {name}>{text}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Plain text and segmented JSON: a transcript as blocks of segments, cut further where limits ask for it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from dalston.transcripts.formats.cues import cut_run, runs
from dalston.transcripts.formats.lines import joined, wrap
from dalston.transcripts.formats.options import FormatOptions, Layout, text_layout
from dalston.transcripts.formats.times import clock, speaker_names
from dalston.transcripts.formats.tokens import TimedToken, Token, timed_tokens, tokens_of
from dalston.transcripts.model import Segment, Transcript
from dalston.transcripts.spacing import pieces, with_consistent_text, word_spans
from dalston.transcripts.timeline import with_bounds_of_words


def txt(transcript: Transcript, options: FormatOptions) -> str:
    """Write text: a heading with time and speaker for each block, lines of bounded length.

    Without times and speakers it is the text alone, a paragraph for each speaker's turn.
    """
    layout = text_layout(options)
    names = speaker_names(transcript)
    segments = list(split_segments(transcript.segments, layout))
    with_speakers = layout.speakers and any(segment.speaker for segment in segments)
    if layout.timestamps and any(segment.start is not None for segment in segments):
        groups = [[segment] for segment in segments]
    else:
        groups = [
            list(group)
            for _, group in groupby(segments, key=lambda each: (each.speaker, each.channel))
        ]
    paragraphs = []
    for group in groups:
        heading = _heading(group, layout, names if with_speakers else {})
        lines = wrap(_tokens(group), layout.line)
        paragraphs.append("\n".join([*([heading] if heading else []), *lines]))
    return "\n\n".join(paragraphs) + "\n" if paragraphs else ""


def _heading(group: Sequence[Segment], layout: Layout, names: dict[str, str]) -> str:
    parts = []
    start, end = group[0].start, group[-1].end
    if layout.timestamps and start is not None and end is not None:
        parts.append(f"[{clock(start)} - {clock(end)}]")
    speaker = group[0].speaker
    if names and speaker is not None:
        parts.append(names.get(speaker, speaker))
    return " ".join(parts)


def _tokens(group: Sequence[Segment]) -> list[Token]:
    found: list[Token] = []
    for segment in group:
        tokens = tokens_of(segment)
        if tokens and found:
            first = tokens[0]
            tokens[0] = Token(first.text, True, first.start, first.end)
        found += tokens
    return found


def segmented_json(transcript: Transcript, options: FormatOptions) -> str:
    """Write `{"segments": [{"text", "start", "end", "speaker_id", "words": [...]}]}`.

    Words are items of type `word` and `spacing`; concatenated they are the segment's text. Times and
    speakers are left out when not asked for or not known.
    """
    layout = text_layout(options)
    segments = [_json_segment(each, layout) for each in split_segments(transcript.segments, layout)]
    return json.dumps({"segments": segments}, ensure_ascii=False, indent=2) + "\n"


def _json_segment(segment: Segment, layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = {"text": segment.text}
    found |= _details(segment.start, segment.end, segment.speaker, layout)
    if segment.channel is not None:
        found["channel_index"] = segment.channel
    found["words"] = [
        {
            "text": text,
            "type": "spacing" if word is None else "word",
            **_details(
                word.start if word else None,
                word.end if word else None,
                (word.speaker if word else None) or segment.speaker,
                layout,
            ),
        }
        for text, word in (pieces(segment) if segment.words else [])
    ]
    return found


def _details(
    start: float | None, end: float | None, speaker: str | None, layout: Layout
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if layout.timestamps and start is not None:
        found |= {"start": start, "end": end}
    if layout.speakers and speaker is not None:
        found["speaker_id"] = speaker
    return found


def split_segments(segments: Sequence[Segment], layout: Layout) -> Iterator[Segment]:
    """Cut segments at silences, durations and lengths, where the layout limits these."""
    for segment in segments:
        limited = (layout.silence, layout.seconds, layout.characters) != (None, None, None)
        if not limited or segment.start is None or segment.end is None:
            yield segment
        elif segment.words and all(word.start is not None for word in segment.words):
            yield from _split_words(with_consistent_text(segment), layout)
        else:
            yield from _split_text(segment, layout)


def _split_words(segment: Segment, layout: Layout) -> Iterator[Segment]:
    """Cut between words."""
    spans = word_spans(segment.text, segment.words) or []
    first = 0
    for group in _groups(segment, layout):
        after = first + sum(token.words for token in group)
        start = spans[first][0] if first else 0
        end = spans[after][0] if after < len(spans) else len(segment.text)
        changed = {"text": segment.text[start:end].strip(), "words": segment.words[first:after]}
        yield with_bounds_of_words(segment.model_copy(update=changed))
        first = after


def _split_text(segment: Segment, layout: Layout) -> Iterator[Segment]:
    for group in _groups(segment, layout):
        yield segment.model_copy(
            update={
                "text": joined(group),
                "start": round(group[0].start, 3),
                "end": round(group[-1].end, 3),
                "words": (),
            }
        )


def _groups(segment: Segment, layout: Layout) -> Iterator[list[TimedToken]]:
    """Give the tokens of each piece of the segment."""
    unwrapped = replace(layout, line=None)
    for run in runs(list(timed_tokens([segment], longest=None)), layout.silence):
        yield from cut_run(run, unwrapped)

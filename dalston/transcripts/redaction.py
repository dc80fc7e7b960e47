"""Redaction carried from the text to segments and words, so that none of them says what the text hides."""

import re
from collections.abc import Sequence

from dalston.transcripts.model import Entity, Segment, Word
from dalston.transcripts.spacing import join_texts, word_spans

_PLACEHOLDER = re.compile(r"\{[A-Z0-9_]+\}")


class RedactionMismatch(ValueError):
    """The redacted text is not the transcript's text with placeholders for entities."""


def redact(
    segments: Sequence[Segment], entities: Sequence[Entity], redacted_text: str
) -> list[Segment]:
    """Give the segments with the placeholders of `redacted_text` in place of what they stand for.

    The words of a redacted entity become one word with the placeholder as text. Raises
    RedactionMismatch rather than let something through when text and redaction do not agree.
    """
    text = join_texts(segment.text for segment in segments)
    spans = find_placeholders(text, entities, redacted_text)
    redacted: list[Segment] = []
    at = 0
    for segment in segments:
        start = text.index(segment.text, at)
        at = start + len(segment.text)
        inside = [
            (max(first - start, 0), min(end - start, len(segment.text)), placeholder)
            for first, end, placeholder in spans
            if first < at and end > start
        ]
        redacted.append(_redacted(segment, inside) if inside else segment)
    return redacted


def find_placeholders(
    text: str, entities: Sequence[Entity], redacted_text: str
) -> list[tuple[int, int, str]]:
    """Walk both texts and give (start, end, placeholder) for each entity that was replaced."""
    found: list[tuple[int, int, str]] = []
    at = there = 0
    for entity in sorted(entities, key=lambda each: (each.start_char, -each.end_char)):
        start, end = entity.start_char, entity.end_char
        if start < at:
            continue  # inside an entity that was replaced
        between = text[at:start]
        if redacted_text[there : there + len(between)] != between:
            raise RedactionMismatch(
                "The redacted text differs from the transcript between entities."
            )
        there += len(between)
        at = start
        placeholder = _PLACEHOLDER.match(redacted_text, there)
        if placeholder is not None and text[start:end] != placeholder.group():
            found.append((start, end, placeholder.group()))
            there = placeholder.end()
            at = end
    if redacted_text[there:] != text[at:]:
        raise RedactionMismatch("The redacted text ends differently from the transcript.")
    return found


def _redacted(segment: Segment, spans: Sequence[tuple[int, int, str]]) -> Segment:
    text = segment.text
    for start, end, placeholder in reversed(spans):
        text = text[:start] + placeholder + text[end:]
    positions = word_spans(segment.text, segment.words)
    if positions is None:
        return segment.model_copy(update={"text": text, "words": ()})
    words: list[Word] = []
    open_span: tuple[int, int, str] | None = None
    for (start, end), word in zip(positions, segment.words, strict=True):
        touched = [span for span in spans if span[0] < end and span[1] > start]
        if not touched:
            words.append(word)
            open_span = None
        elif touched[0] is open_span and len(touched) == 1:
            after = segment.text[max(open_span[1], start) : end]
            changed = {"text": words[-1].text + after, "end": word.end or words[-1].end}
            words[-1] = words[-1].model_copy(update=changed)
        else:
            words.append(_covered(word, (start, end), touched, segment.text))
            open_span = touched[-1]
    return segment.model_copy(update={"text": text, "words": tuple(words)})


def _covered(
    word: Word, span: tuple[int, int], touched: Sequence[tuple[int, int, str]], text: str
) -> Word:
    """Give the word with placeholders for what is redacted; what stands around them in it stays."""
    written = ""
    at = span[0]
    for start, end, placeholder in touched:
        written += text[at : max(start, at)]
        if start >= span[0]:
            written += placeholder
        at = min(end, span[1])
    written += text[at : span[1]]
    return word.model_copy(update={"text": written or touched[0][2], "characters": None})

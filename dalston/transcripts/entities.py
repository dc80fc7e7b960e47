"""Entities put where they stand in the final text, with the times of the words that say them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile

from dalston.transcripts.model import Entity, Segment, Word
from dalston.transcripts.spacing import word_spans


def words_in_text(text: str, segments: Sequence[Segment]) -> Iterator[tuple[int, int, Word]]:
    """Give the words of the segments with their (start, end) offsets in the transcript's text."""
    at = 0
    for segment in segments:
        start = text.find(segment.text, at)
        if start < 0:
            continue
        at = start + len(segment.text)
        spans = word_spans(segment.text, segment.words) or []
        for (first, end), word in zip(spans, segment.words, strict=False):
            yield start + first, start + end, word


def place_entities(
    text: str, segments: Sequence[Segment], entities: Sequence[Entity] | None
) -> tuple[tuple[Entity, ...] | None, tuple[str, ...]]:
    """Give the entities with their offsets in `text` and their times, and a warning for lost ones.

    Where the text was refined after detection, an entity is looked for from the last one's end.
    """
    if entities is None:
        return None, ()
    words = list(words_in_text(text, segments))
    ends = [end for _, end, _ in words]
    placed: list[Entity] = []
    lost = 0
    searched = 0
    for entity in sorted(entities, key=lambda each: (each.start_char, each.end_char)):
        start = entity.start_char
        if text[start : entity.end_char] != entity.text:
            start = text.find(entity.text, searched)
        if start < 0 or not entity.text:
            lost += 1
            continue
        searched = start
        touched = islice(words, bisect_right(ends, start), None)
        inside = [word for _, _, word in _before(touched, start + len(entity.text))]
        placed.append(_timed(entity, start, inside))
    warning = f"{lost} detected entities are not in the refined text and were left out."
    return tuple(placed), (warning,) if lost else ()


def _before(words: Iterable[tuple[int, int, Word]], end: int) -> Iterator[tuple[int, int, Word]]:
    return takewhile(lambda found: found[0] < end, words)


def _timed(entity: Entity, start: int, inside: Sequence[Word]) -> Entity:
    starts = [word.start for word in inside if word.start is not None]
    ends = [word.end for word in inside if word.end is not None]
    return entity.model_copy(
        update={
            "start_char": start,
            "end_char": start + len(entity.text),
            "start": starts[0] if starts else entity.start,
            "end": ends[-1] if ends else entity.end,
        }
    )

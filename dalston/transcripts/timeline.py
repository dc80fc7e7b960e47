"""Times put right: shifted from a part to the recording, in order, without overlap.

Engines give times per part, and some give words that begin before the last one ended. Here the order
of the words is kept and the times yield: a start never moves backwards, an end never passes the next
start.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from dalston.transcripts.model import Character, Segment, Word


def shift_segment(segment: Segment, *, start: float, end: float) -> Segment:
    """Move a segment from its part's time to the recording's; nothing reaches out of the part."""

    def moved(seconds: float | None) -> float | None:
        return None if seconds is None else round(min(max(start + seconds, start), end), 3)

    words = tuple(_with_times(word, moved(word.start), moved(word.end)) for word in segment.words)
    if any(word.characters for word in segment.words):
        words = tuple(
            word.model_copy(
                update={
                    "characters": tuple(
                        Character(text=each.text, start=moved(each.start), end=moved(each.end))
                        for each in word.characters
                    )
                }
            )
            if word.characters
            else word
            for word in words
        )
    return segment.model_copy(
        update={"start": moved(segment.start), "end": moved(segment.end), "words": words}
    )


def _with_times(word: Word, start: float | None, end: float | None) -> Word:
    if (start, end) == (word.start, word.end):
        return word
    return word.model_copy(update={"start": start, "end": end})


def in_order(segments: Sequence[Segment]) -> list[Segment]:
    """Give the segments of one track with words and segments in order and apart."""
    words = iter(_words_in_order([word for segment in segments for word in segment.words]))
    ordered = [
        with_bounds_of_words(
            segment.model_copy(update={"words": tuple(next(words) for _ in segment.words)})
        )
        for segment in segments
    ]
    return _segments_in_order(ordered)


def _words_in_order(words: Iterable[Word]) -> list[Word]:
    ordered: list[Word] = []
    last: int | None = None
    for word in words:
        if word.start is None:
            ordered.append(word)
            continue
        start = word.start
        if last is not None:
            before = ordered[last]
            start = max(start, before.start or 0.0)
            if before.end is not None and before.end > start:
                ordered[last] = _trim(before, before.start, start)
        end = None if word.end is None else max(word.end, start)
        last = len(ordered)
        ordered.append(_trim(word, start, end))
    return ordered


def _trim(word: Word, start: float | None, end: float | None) -> Word:
    if (start, end) == (word.start, word.end):
        return word
    changed: dict[str, Any] = {"start": start, "end": end}
    if word.characters and start is not None and end is not None:
        changed["characters"] = tuple(
            Character(
                text=each.text,
                start=None if each.start is None else min(max(each.start, start), end),
                end=None if each.end is None else min(max(each.end, start), end),
            )
            for each in word.characters
        )
    return word.model_copy(update=changed)


def spread_characters(word: Word) -> Word:
    """Give a word without character times ones that divide its time evenly."""
    if word.characters is not None:
        return word
    if word.start is None or word.end is None:
        return word.model_copy(
            update={"characters": tuple(Character(text=each) for each in word.text)}
        )
    step = (word.end - word.start) / max(1, len(word.text))
    edges = [round(word.start + step * n, 3) for n in range(len(word.text))] + [word.end]
    spread = tuple(
        Character(text=each, start=start, end=end)
        for each, start, end in zip(word.text, edges[:-1], edges[1:], strict=True)
    )
    return word.model_copy(update={"characters": spread})


def with_bounds_of_words(segment: Segment) -> Segment:
    """Give the segment the times of its first and last word, where these have any."""
    starts = [word.start for word in segment.words if word.start is not None]
    ends = [word.end for word in segment.words if word.end is not None]
    start = starts[0] if starts else segment.start
    end = max(ends[-1], starts[-1]) if ends and starts else segment.end
    if start is not None and end is not None:
        end = max(start, end)
    return segment.model_copy(update={"start": start, "end": end})


def _segments_in_order(segments: Sequence[Segment]) -> list[Segment]:
    """Move starts and ends of segments without word times; those with words are in order already."""
    ordered: list[Segment] = []
    floor = 0.0
    for segment in segments:
        start, end = segment.start, segment.end
        if start is not None and start < floor:
            start = floor
        if start is not None and end is not None:
            end = max(end, start)
        if (start, end) != (segment.start, segment.end):
            segment = segment.model_copy(update={"start": start, "end": end})
        floor = max(floor, end if end is not None else start if start is not None else floor)
        ordered.append(segment)
    return ordered


def interleave(tracks: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Merge the segments of several tracks by time; the order within each track is kept."""
    keyed: list[tuple[float, int, Segment]] = []
    for index, segments in enumerate(tracks):
        at = 0.0
        for segment in segments:
            at = max(at, segment.start if segment.start is not None else at)
            keyed.append((at, index, segment))
    keyed.sort(key=lambda item: item[:2])
    return [segment for _, _, segment in keyed]

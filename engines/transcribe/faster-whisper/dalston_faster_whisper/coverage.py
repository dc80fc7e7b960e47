"""Speech that got no words: Whisper sometimes ends a text early, or skips a sentence."""

from collections.abc import Sequence

from dalston_faster_whisper.request import Span, Word
from dalston_faster_whisper.windows import Window

MIN_MISSED_SECONDS = 0.6
"""So much speech without a word was left out."""

LONGEST_WORD_SECONDS = 1.2
"""A word that is said to last longer covers something else as well."""

USUAL_WORD_SECONDS = 0.4

_SLACK_SECONDS = 0.3


def missed_speech(words: Sequence[Word], spans: Sequence[Span]) -> list[Window]:
    """Give windows around the speech that lies between words that are too far apart.

    `words` and `spans` are in order and in the same time; the windows begin and end where the words
    beside them do, so that nothing is heard twice.
    """
    if not spans:
        return []
    missed: list[Window] = []
    covered_until = 0.0
    for word in words:
        _add(missed, spans, covered_until, word.start)
        covered_until = max(covered_until, min(word.end, word.start + LONGEST_WORD_SECONDS))
    _add(missed, spans, covered_until, spans[-1][1] + _SLACK_SECONDS)
    return missed


def _add(missed: list[Window], spans: Sequence[Span], start: float, end: float) -> None:
    inside = [(max(a, start), min(b, end)) for a, b in spans if min(b, end) - max(a, start) > 0.05]
    if len(inside) > 1 and inside[0][0] == start and inside[0][1] - start < LONGEST_WORD_SECONDS:
        inside = inside[1:]  # the end of a word that does last so long
    if sum(b - a for a, b in inside) < MIN_MISSED_SECONDS:
        return
    first = max(start, inside[0][0] - _SLACK_SECONDS)
    last = min(end, inside[-1][1] + _SLACK_SECONDS)
    missed.append(Window(first, last, tuple(inside)))


def settled(words: Sequence[Word], spans: Sequence[Span]) -> list[Word]:
    """Put a word that stands alone inside missed speech behind the words before it.

    When a text ends early, its last word is often aligned to some sound far behind.
    """
    placed = list(words)
    for index in range(1, len(placed)):
        word, before = placed[index], placed[index - 1].end
        after = placed[index + 1].start if index + 1 < len(placed) else spans[-1][1]
        if (
            _spoken(spans, before, word.start)
            >= MIN_MISSED_SECONDS
            <= _spoken(spans, word.end, after)
        ):
            length = min(word.end - word.start, USUAL_WORD_SECONDS)
            placed[index] = Word(word.text, before, before + length, word.probability)
    return placed


def _spoken(spans: Sequence[Span], start: float, end: float) -> float:
    return sum(max(0.0, min(b, end) - max(a, start)) for a, b in spans)


def without_stretching(words: Sequence[Word]) -> list[Word]:
    """Give the words that lie before and after missed speech times of their own length."""
    return [
        word
        if word.end - word.start <= LONGEST_WORD_SECONDS
        else Word(word.text, word.start, word.start + LONGEST_WORD_SECONDS, word.probability)
        for word in words
    ]

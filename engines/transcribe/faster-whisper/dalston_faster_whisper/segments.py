"""Words grouped into segments: one a sentence, cut at long pauses as well."""

import re
from collections.abc import Iterator, Sequence

from dalston_faster_whisper.request import Segment, Word

PAUSE_SECONDS = 1.5
LONGEST_SECONDS = 30.0

_BREATH_SECONDS = 0.5
"""Behind what may be an abbreviation, only such a pause ends a sentence."""

_ABBREVIATION = re.compile(r"\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|z\.B|d\.h|bzw|ca)\.$")
_SENTENCE_ENDS = ".!?。！？…"
_QUOTES = "\"'”’)]}»"


def sentences(
    words: Sequence[Word], *, avg_logprob: float, no_speech_prob: float
) -> Iterator[Segment]:
    """Give the segments of one window's words; its likelihood is that of each of them."""
    group: list[Word] = []
    for word in words:
        if group and _is_cut(group, word):
            yield Segment(tuple(group), avg_logprob, no_speech_prob)
            group = []
        group.append(word)
    if group:
        yield Segment(tuple(group), avg_logprob, no_speech_prob)


def _is_cut(group: Sequence[Word], word: Word) -> bool:
    pause = word.start - group[-1].end
    last = group[-1].text.rstrip().rstrip(_QUOTES)
    ended = last.endswith(tuple(_SENTENCE_ENDS))
    if pause < _BREATH_SECONDS and _ABBREVIATION.search(last):
        ended = False
    # "3.5" and "a.m" are not two sentences: a new one has a space, or a script without spaces.
    apart = word.text.startswith(" ") or not word.text.isascii()
    too_long = word.end - group[0].start > LONGEST_SECONDS
    return (ended and apart) or pause >= PAUSE_SECONDS or too_long

"""Words grouped into segments: one a sentence, cut at long pauses as well."""

from collections.abc import Iterator, Sequence

from dalston_faster_whisper.request import Segment, Word

PAUSE_SECONDS = 1.5
LONGEST_SECONDS = 30.0

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
    ended = group[-1].text.rstrip().rstrip(_QUOTES).endswith(tuple(_SENTENCE_ENDS))
    # "3.5" and "a.m" are not two sentences: a new one has a space, or a script without spaces.
    apart = word.text.startswith(" ") or not word.text.isascii()
    return (
        (ended and apart)
        or word.start - group[-1].end >= PAUSE_SECONDS
        or word.end - group[0].start > LONGEST_SECONDS
    )

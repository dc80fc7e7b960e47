"""When each word is said: cross attention aligns the tokens, the map of speech corrects the pauses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from dalston_faster_whisper.encoder import Memory
from dalston_faster_whisper.guard import Decoded
from dalston_faster_whisper.request import Span, Word

TOKENS_PER_SECOND = 50
"""Resolution of the alignment."""

_MEDIAN_FILTER_WIDTH = 7

_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"

PAUSE_SECONDS = 0.25
"""A word does not last over a silence as long as this."""

_EDGE_SECONDS = 0.05
"""What the map of speech may miss at the ends of a span."""

_SHORTEST_SECONDS = 0.02


@dataclass(frozen=True)
class Aligner:
    """Finds the times of words."""

    model: WhisperModel
    tokenizer: Tokenizer

    def align(self, memory: Memory, decoded: Sequence[Decoded]) -> list[list[Word]]:
        """Give the words of each window, with times in seconds from the start of the window."""
        filled = [index for index, each in enumerate(decoded) if each.tokens]
        words: list[list[Word]] = [[] for _ in decoded]
        if not filled:
            return words
        # Rows without tokens stay in the batch: the states are those of all windows.
        results = self.model.model.align(
            memory.states,
            self.tokenizer.sot_sequence,
            [list(each.tokens) for each in decoded],
            list(memory.frames),
            median_filter_width=_MEDIAN_FILTER_WIDTH,
        )
        for index in filled:
            words[index] = self._words(decoded[index].tokens, results[index])
        return words

    def _words(self, tokens: tuple[int, ...], result: Any) -> list[Word]:
        texts, word_tokens = self.tokenizer.split_to_word_tokens([*tokens, self.tokenizer.eot])
        bounds = np.cumsum([0, *(len(each) for each in word_tokens[:-1])])
        path = np.asarray(result.alignments)
        first_of_token = np.diff(path[:, 0], prepend=-1) > 0
        times = path[first_of_token, 1] / TOKENS_PER_SECOND
        probabilities = result.text_token_probs
        found = []
        for text, first, end in zip(texts, bounds[:-1], bounds[1:], strict=False):
            probability = float(np.mean(probabilities[first:end]))
            found.append(Word(text, float(times[first]), float(times[end]), probability))
        return with_punctuation(found)


def with_punctuation(words: Sequence[Word]) -> list[Word]:
    """Join opening marks with the next word and closing ones with the word before.

    A word's times and probability are those of its letters.
    """
    joined: list[Word] = []
    opening = ""
    for word in words:
        mark = word.text.strip()
        if mark and mark in _OPENING and word.text.startswith(" "):
            opening += word.text
        elif mark and mark in _CLOSING and joined and not opening:
            joined[-1] = replace(joined[-1], text=joined[-1].text + word.text)
        else:
            text = opening + (word.text.lstrip() if opening else word.text)
            joined.append(replace(word, text=text))
            opening = ""
    if opening and joined:
        joined[-1] = replace(joined[-1], text=joined[-1].text + opening)
    return [word for word in joined if word.text.strip()]


def fitted_to_speech(words: Sequence[Word], spans: Sequence[Span]) -> list[Word]:
    """Take the silences out of the words: each lies in the span of speech that it shares most with.

    Times run forwards and words do not overlap; a word that no span touches keeps its times.
    """
    stretches = _joined_over_short_pauses(spans)
    fitted: list[Word] = []
    before = 0.0
    for word in words:
        start, end = _fit(word, stretches)
        start = max(start, before)
        end = max(end, start + _SHORTEST_SECONDS)
        fitted.append(replace(word, start=round(start, 2), end=round(end, 2)))
        before = end
    return fitted


def _joined_over_short_pauses(spans: Sequence[Span]) -> list[Span]:
    stretches: list[Span] = []
    for start, end in spans:
        if stretches and start - stretches[-1][1] < PAUSE_SECONDS:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return stretches


def _fit(word: Word, stretches: Sequence[Span]) -> Span:
    shared = [
        (min(word.end, end) - max(word.start, start), start, end)
        for start, end in stretches
        if start < word.end and end > word.start
    ]
    if not shared:
        return word.start, word.end
    _, start, end = max(shared)
    return max(word.start, start - _EDGE_SECONDS), min(word.end, end + _EDGE_SECONDS)

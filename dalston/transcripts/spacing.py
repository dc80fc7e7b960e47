"""Where spaces belong: between words of most scripts, not between those of Chinese, Japanese, Thai, ...

A segment's text is the authority: words are found in it in order, so that what stands between them
(spaces, nothing, punctuation of its own) is known. Where text and words disagree, the script decides.
"""

import re
from collections.abc import Iterable, Sequence

from dalston.transcripts.model import Segment, Word

UNSPACED = (
    r"\u0E00-\u0EFF"  # Thai, Lao
    r"\u1000-\u109F\u1780-\u17FF"  # Burmese, Khmer
    r"\u2E80-\u2FDF\u3000-\u30FF\u3100-\u312F\u31A0-\u31FF"  # radicals, kana, Bopomofo, 、。「」
    r"\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF"  # Han
    r"\uFF00-\uFFEF"  # full-width forms
    r"\U00020000-\U0003FFFF"  # Han, rarer
)
"""Character ranges, for a regular expression, of scripts that put no spaces between words."""

_UNSPACED = re.compile(f"[{UNSPACED}]")


def is_unspaced(character: str) -> bool:
    """Tell whether a character belongs to a script without spaces between words."""
    return _UNSPACED.match(character) is not None


def separator(left: str, right: str) -> str:
    """Give what stands between two pieces of text: a space, or nothing."""
    if not left or not right or left[-1].isspace() or right[0].isspace():
        return ""
    return "" if is_unspaced(left[-1]) and is_unspaced(right[0]) else " "


def join_texts(texts: Iterable[str]) -> str:
    """Join pieces of text, stripped, with the separators that their scripts ask for."""
    joined: list[str] = []
    last = ""
    for text in texts:
        stripped = text.strip()
        if stripped:
            joined += (separator(last, stripped), stripped)
            last = stripped
    return "".join(joined)


def word_spans(text: str, words: Sequence[Word]) -> list[tuple[int, int]] | None:
    """Find the words in the text, in order, as (start, end) offsets; None when one is not there.

    Only spaces and punctuation may stand between words: a word that the text has and the list has not
    is a disagreement too.
    """
    spans: list[tuple[int, int]] = []
    at = 0
    for word in words:
        start = text.find(word.text, at)
        if start < 0 or any(character.isalnum() for character in text[at:start]):
            return None
        at = start + len(word.text)
        spans.append((start, at))
    return None if any(character.isalnum() for character in text[at:]) else spans


def with_consistent_text(segment: Segment) -> Segment:
    """Give the segment with a stripped text that its words can be found in."""
    text = segment.text.strip()
    if segment.words and word_spans(text, segment.words) is None:
        text = join_texts(word.text for word in segment.words)
    return segment if text == segment.text else segment.model_copy(update={"text": text})


def pieces(segment: Segment) -> list[tuple[str, Word | None]]:
    """Give the segment's text as words and what stands between them (with None), in order.

    Concatenated, the pieces are the text.
    """
    spans = word_spans(segment.text, segment.words)
    if spans is None:
        segment = with_consistent_text(segment)
        spans = word_spans(segment.text, segment.words) or []
    found: list[tuple[str, Word | None]] = []
    at = 0
    for word, (start, end) in zip(segment.words, spans, strict=True):
        if start > at:
            found.append((segment.text[at:start], None))
        found.append((segment.text[start:end], word))
        at = end
    if at < len(segment.text):
        found.append((segment.text[at:], None))
    return found

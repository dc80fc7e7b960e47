"""A transcript as tokens: the smallest pieces that a line or a subtitle may break between.

A token is a word with the punctuation that clings to it. Where words have no times, those of the
segment are divided among its tokens by length.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dalston.transcripts.model import Segment, Word
from dalston.transcripts.spacing import UNSPACED, is_unspaced, pieces, separator

_OPENING = "([{<«‹“‘„‚「『（【《〈〔［｛¿¡"
_ATOMS = re.compile(rf"(?P<space>\s+)|(?P<wide>[{UNSPACED}])|(?P<other>[^\s{UNSPACED}]+)")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text; `space` tells whether one stands before it; times None where unknown.

    `words` counts the words in it: more than one where they are written without a space.
    """

    text: str
    space: bool
    start: float | None
    end: float | None
    speaker: str | None = None
    channel: int | None = None
    words: int = 1

    @property
    def width(self) -> int:
        """Columns that it takes, without the space before it."""
        return display_width(self.text)


@dataclass(frozen=True, slots=True)
class TimedToken:
    """A token whose times are known."""

    text: str
    space: bool
    start: float
    end: float
    width: int
    speaker: str | None
    channel: int | None
    words: int = 1


def display_width(text: str) -> int:
    """Count the columns of a text: two for wide characters (Chinese, Japanese, Korean), else one."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def tokens_of(segment: Segment) -> list[Token]:
    """Give the tokens of a segment; together they are its text."""
    if not any(word.start is not None for word in segment.words):
        return _tokens_of_text(segment)
    tokens: list[Token] = []
    prefix, space = "", False
    for text, word in pieces(segment):
        if word is None:
            clinging, between, opening = _divide(text, has_left=bool(tokens))
            if clinging and tokens:
                tokens[-1] = replace(tokens[-1], text=tokens[-1].text + clinging)
            prefix, space = opening, between
            continue
        token = _token(word, prefix + text, space=space, segment=segment)
        if tokens and not space and _inseparable(tokens[-1], token):
            tokens[-1] = _glued(tokens[-1], token)
        else:
            tokens.append(token)
        prefix, space = "", False
    return tokens


def _token(word: Word, text: str, *, space: bool, segment: Segment) -> Token:
    speaker = word.speaker if word.speaker is not None else segment.speaker
    return Token(text, space, word.start, word.end, speaker, segment.channel)


def _inseparable(left: Token, right: Token) -> bool:
    """Tell whether two words without a space between them are one to the reader: `cold-hearted`."""
    wide = is_unspaced(left.text[-1]) or is_unspaced(right.text[0])
    return not wide and left.speaker == right.speaker


def _glued(left: Token, right: Token) -> Token:
    end = right.end if right.end is not None else left.end
    return replace(left, text=left.text + right.text, end=end, words=left.words + right.words)


def _divide(between: str, *, has_left: bool) -> tuple[str, bool, str]:
    """Divide what stands between two words: what clings to the left, a space, what opens the right."""
    left, space, right = between.partition(" ")
    if space:
        clinging, opening = left, "".join(right.split())
    elif has_left and not set(left) <= set(_OPENING):
        clinging, opening = left, ""
    else:
        clinging, opening = "", left
    return clinging.strip(), bool(space) or between != between.strip(), opening.strip()


def _tokens_of_text(segment: Segment) -> list[Token]:
    """Give tokens for a segment without word times: what stands between spaces, or one wide sign."""
    found: list[tuple[str, bool]] = []
    space = False
    for match in _ATOMS.finditer(segment.text.strip()):
        text = match.group()
        if match.lastgroup == "space":
            space = True
            continue
        glue = found and not space and _clings(found[-1][0], text)
        if glue:
            found[-1] = (found[-1][0] + text, found[-1][1])
        else:
            found.append((text, space))
        space = False
    times = _divided(segment, [display_width(text) for text, _ in found])
    return [
        Token(text, space, start, end, segment.speaker, segment.channel)
        for (text, space), (start, end) in zip(found, times, strict=True)
    ]


def _clings(left: str, right: str) -> bool:
    """Tell whether two neighbours without a space between them must stay together."""
    if left[-1] in _OPENING or not any(each.isalnum() for each in right):
        return right[0] not in _OPENING or left[-1] in _OPENING
    return False


def _divided(segment: Segment, widths: Sequence[int]) -> list[tuple[float | None, float | None]]:
    if segment.start is None or segment.end is None:
        return [(None, None)] * len(widths)
    total = max(1, sum(widths))
    step = (segment.end - segment.start) / total
    times: list[tuple[float | None, float | None]] = []
    at = 0
    for width in widths:
        times.append((segment.start + step * at, segment.start + step * (at + width)))
        at += width
    return times


def timed_tokens(segments: Sequence[Segment], *, longest: int | None) -> Iterator[TimedToken]:
    """Give the tokens of all segments with times; those wider than `longest` are cut in pieces.

    Tokens without a time lie between their neighbours. Segments that have no times at all are an
    error of the caller.
    """
    last = ""
    for segment in segments:
        tokens = tokens_of(segment)
        for index, (token, start, end) in enumerate(_with_times(tokens, segment)):
            space = token.space if index else bool(separator(last, token.text))
            yield from _cut(
                TimedToken(
                    token.text,
                    space,
                    start,
                    end,
                    token.width,
                    token.speaker,
                    token.channel,
                    token.words,
                ),
                longest,
            )
            last = token.text


def _with_times(tokens: Sequence[Token], segment: Segment) -> Iterator[tuple[Token, float, float]]:
    assert segment.start is not None
    at = segment.start
    for index, token in enumerate(tokens):
        start = at if token.start is None else token.start
        end = token.end
        if end is None:
            later = (each.start for each in tokens[index + 1 :] if each.start is not None)
            limit = next(later, segment.end if segment.end is not None else start)
            end = min(start + 0.3, limit) if token.start is not None else start
        at = max(start, end)
        yield token, start, at


def _cut(token: TimedToken, longest: int | None) -> Iterator[TimedToken]:
    if longest is None or token.width <= longest:
        yield token
        return
    chunks: list[str] = [""]
    for character in token.text:
        if chunks[-1] and display_width(chunks[-1] + character) > longest:
            chunks.append("")
        chunks[-1] += character
    step = (token.end - token.start) / max(1, token.width)
    at = token.start
    for index, chunk in enumerate(chunks):
        width = display_width(chunk)
        yield replace(
            token,
            text=chunk,
            space=token.space and index == 0,
            start=at,
            end=at + step * width,
            width=width,
        )
        at += step * width

"""Lines: where a text breaks so that no line is too long."""

from collections.abc import Sequence

from dalston.transcripts.formats.tokens import TimedToken, Token

_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", "।", "؟", "۔")
_CLAUSE_END = (",", ";", ":", "、", "，", "；", "：", "،", "؛", "—", "–")
_CLOSING = "\"'”’»›)]}」』）】》〉〕］｝"

_AFTER_PUNCTUATION = 8
"""Columns of imbalance between two lines that a break after punctuation is worth."""


def ends_sentence(text: str) -> bool:
    """Tell whether a token ends a sentence."""
    return text.rstrip(_CLOSING).endswith(_SENTENCE_END)


def ends_clause(text: str) -> bool:
    """Tell whether a token ends a clause or a sentence."""
    return text.rstrip(_CLOSING).endswith(_CLAUSE_END + _SENTENCE_END)


def joined(tokens: Sequence[Token | TimedToken]) -> str:
    """Give the text of tokens, without a space at its start."""
    return "".join(
        f" {token.text}" if token.space and index else token.text
        for index, token in enumerate(tokens)
    )


def total_width(tokens: Sequence[Token | TimedToken]) -> int:
    """Count the columns of tokens in one line."""
    return sum(token.width + token.space for token in tokens) - (tokens[0].space if tokens else 0)


def count_lines(tokens: Sequence[Token | TimedToken], line: int, *, first: int = 0) -> int:
    """Count the lines that the tokens need; `first` columns of the first line are taken."""
    lines, used = 1, first
    for token in tokens:
        needed = token.width + (1 if token.space and used else 0)
        if used and used + needed > line:
            lines += 1
            used = token.width
        else:
            used += needed
    return lines


def wrap(tokens: Sequence[Token | TimedToken], line: int | None, *, first: int = 0) -> list[str]:
    """Break tokens into lines of at most `line` columns; two lines are balanced.

    `first` columns of the first line are taken by a label. Only a token wider than a line stands out.
    """
    if line is None or first + total_width(tokens) <= line:
        return [joined(tokens)]
    if count_lines(tokens, line, first=first) == 2:
        at = _best_break(tokens, line, first)
        return [joined(tokens[:at]), joined(tokens[at:])]
    return _filled(tokens, line, first)


def _best_break(tokens: Sequence[Token | TimedToken], line: int, first: int) -> int:
    best, found = float("inf"), 1
    whole = total_width(tokens)
    upper = first
    for at in range(1, len(tokens)):
        upper += tokens[at - 1].width + (tokens[at - 1].space if at > 1 else 0)
        lower = whole - (upper - first) - tokens[at].space
        if upper > line or lower > line:
            continue
        cost = abs(upper - lower) - _AFTER_PUNCTUATION * ends_clause(tokens[at - 1].text)
        if cost < best:
            best, found = cost, at
    return found


def _filled(tokens: Sequence[Token | TimedToken], line: int, first: int) -> list[str]:
    lines: list[list[Token | TimedToken]] = [[]]
    used = first
    for token in tokens:
        needed = token.width + (1 if token.space and lines[-1] else 0)
        if used and used + needed > line:
            lines.append([])
            used, needed = 0, token.width
        lines[-1].append(token)
        used += needed
    return [joined(each) for each in lines if each]

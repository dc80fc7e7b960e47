"""Subtitles: a transcript cut into cues that can be read.

Hard breaks: another speaker or channel, a silence. Between them the cheapest way to cut is found:
cues end with sentences, else clauses, else pauses; they are neither too short nor too fast to read.
No cue is longer, wider or has more lines than the layout allows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dalston.transcripts.formats.lines import (
    count_lines,
    ends_clause,
    ends_sentence,
    wrap,
)
from dalston.transcripts.formats.options import MAX_CHARACTERS_PER_SECOND, Layout
from dalston.transcripts.formats.tokens import TimedToken, display_width, timed_tokens
from dalston.transcripts.model import Segment

MIN_CUE_SECONDS = 1.0
"""Shorter cues stay this long where the next one leaves room."""

_CUE_COST = 1.0
_CLAUSE_COST = 0.5
_PAUSE_COST = 1.0
_PAUSE_SECONDS = 0.25
_MID_CLAUSE_COST = 3.0
_SENTENCE_INSIDE_COST = 0.4
_SHORT_COST = 1.5
_FAST_COST = 0.3
_LONE_WORD_COST = 1.0


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines that are shown from `start` to `end` seconds; `label` stands before the first, if any."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str | None
    channel: int | None
    label: str = ""


def cues_of(
    segments: Sequence[Segment], layout: Layout, *, names: dict[str, str] | None = None
) -> list[Cue]:
    """Cut segments that have times into cues.

    With `names`, a cue whose speaker is not that of the cue before begins with `[name] `, which counts
    as text.
    """
    tokens = list(timed_tokens(segments, longest=layout.line))
    chosen: list[tuple[list[TimedToken], str]] = []
    speaker: str | None = None
    for run in runs(tokens, layout.silence):
        label = ""
        if names and run[0].speaker is not None and run[0].speaker != speaker:
            label = f"[{names.get(run[0].speaker, run[0].speaker)}] "
        speaker = run[0].speaker
        for index, group in enumerate(cut_run(run, layout, label=display_width(label))):
            chosen.append((group, label if index == 0 else ""))
    return _timed([_cue(group, layout, label) for group, label in chosen], layout)


def runs(tokens: Sequence[TimedToken], silence: float | None) -> Iterator[list[TimedToken]]:
    """Divide at changes of speaker and channel and at silences."""
    run: list[TimedToken] = []
    for token in tokens:
        if run:
            before = run[-1]
            changed = (token.speaker, token.channel) != (before.speaker, before.channel)
            if changed or (silence is not None and token.start - before.end > silence):
                yield run
                run = []
        run.append(token)
    if run:
        yield run


def cut_run(
    run: Sequence[TimedToken], layout: Layout, *, label: int = 0
) -> Iterator[list[TimedToken]]:
    """Cut a run of tokens where it costs least; the first `label` columns are taken."""
    count = len(run)
    cost = [0.0] + [float("inf")] * count
    came_from = [0] * (count + 1)
    for start in range(count):
        width = label if start == 0 else 0
        for end in range(start + 1, count + 1):
            token = run[end - 1]
            width += token.width + (token.space if end - 1 > start else 0)
            alone = end - start == 1
            if not alone and not _fits(run[start:end], width, layout, label if start == 0 else 0):
                break
            total = cost[start] + _cost(run, start, end, width)
            if total < cost[end]:
                cost[end], came_from[end] = total, start
    edges = [count]
    while edges[-1] > 0:
        edges.append(came_from[edges[-1]])
    for start, end in pairwise(reversed(edges)):
        yield list(run[start:end])


def _fits(tokens: Sequence[TimedToken], width: int, layout: Layout, label: int) -> bool:
    if layout.characters is not None and width > layout.characters:
        return False
    if layout.seconds is not None and tokens[-1].end - tokens[0].start > layout.seconds:
        return False
    if layout.line is None or layout.lines is None or width <= layout.line:
        return True
    return count_lines(tokens, layout.line, first=label) <= layout.lines


def _cost(run: Sequence[TimedToken], start: int, end: int, width: int) -> float:
    """Tell how bad a cue of the tokens from `start` to `end` is."""
    first, last = run[start], run[end - 1]
    cost = _CUE_COST
    until = last.end + 0.5
    if end < len(run):
        until = run[end].start
        cost += _break_cost(last, until - last.end)
    cost += _SENTENCE_INSIDE_COST * sum(ends_sentence(each.text) for each in run[start : end - 1])
    seconds = max(until - first.start, 0.05)
    cost += _SHORT_COST * max(0.0, MIN_CUE_SECONDS - seconds)
    cost += _FAST_COST * max(0.0, width / seconds - MAX_CHARACTERS_PER_SECOND)
    if end - start == 1 and len(run) > 1 and not ends_sentence(last.text):
        cost += _LONE_WORD_COST
    return cost


def _break_cost(last: TimedToken, pause: float) -> float:
    if ends_sentence(last.text):
        return 0.0
    if ends_clause(last.text):
        return _CLAUSE_COST
    return _PAUSE_COST if pause >= _PAUSE_SECONDS else _MID_CLAUSE_COST


def _cue(group: Sequence[TimedToken], layout: Layout, label: str) -> Cue:
    lines = wrap(group, layout.line, first=display_width(label))
    end = max(token.end for token in group)
    return Cue(group[0].start, end, tuple(lines), group[0].speaker, group[0].channel, label)


def _timed(cues: Sequence[Cue], layout: Layout) -> list[Cue]:
    """Let cues stay until they can be read, as long as the next one does not begin."""
    timed: list[Cue] = []
    for index, cue in enumerate(cues):
        room = cues[index + 1].start if index + 1 < len(cues) else float("inf")
        width = sum(display_width(line) for line in cue.lines) + display_width(cue.label)
        wanted = cue.start + max(MIN_CUE_SECONDS, width / MAX_CHARACTERS_PER_SECOND)
        end = max(cue.end, min(wanted, room))
        if layout.seconds is not None:
            end = min(end, cue.start + layout.seconds)
        start = round(cue.start, 3)
        end = max(round(end, 3), start + 0.001)
        timed.append(Cue(start, end, cue.lines, cue.speaker, cue.channel, cue.label))
    return timed

"""Who says what: words get the speaker whose turn they fall into, segments end where speakers change."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from dalston.transcripts.model import Segment, Speaker, Turn, Word
from dalston.transcripts.spacing import with_consistent_text, word_spans
from dalston.transcripts.timeline import with_bounds_of_words

TINY_SECONDS = 0.3
"""A run of words shorter than this, in the midst of another speaker's, is that speaker's."""

TINY_GAP_SECONDS = 0.5
"""... unless a pause longer than this sets it apart."""


@dataclass(frozen=True, slots=True)
class Diarized:
    """Segments with speakers named `speaker_0`, ...; the turns, renamed; and the speakers."""

    segments: list[Segment]
    turns: list[Turn]
    speakers: list[Speaker]


class _TurnIndex:
    """Finds the speaker of a stretch of time; turns may overlap."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: (turn.start, turn.end))
        self._starts = [turn.start for turn in self._turns]
        self._reach: list[float] = []
        for turn in self._turns:
            self._reach.append(max(turn.end, self._reach[-1] if self._reach else turn.end))

    def speaker(self, start: float, end: float, *, previous: str | None) -> str | None:
        """Give who talks most of that time, else who talks nearest to it; None without turns."""
        best: tuple[float, bool] | None = None
        found: str | None = None
        at = bisect_left(self._starts, max(end, start + 1e-6))
        for turn in self._candidates(at, start):
            shared = min(end, turn.end) - max(start, turn.start)  # negative: the distance
            rank = (shared, turn.speaker == previous)
            if best is None or rank > best:
                best, found = rank, turn.speaker
        return found

    def _candidates(self, at: int, start: float) -> Iterable[Turn]:
        """Give the turns that overlap, and the nearest on either side."""
        if at < len(self._turns):
            yield self._turns[at]
        for index in range(at - 1, -1, -1):
            yield self._turns[index]
            if self._reach[index] <= start and self._turns[index].end >= self._reach[index]:
                return


def diarize(
    segments: Sequence[Segment], turns: Sequence[Turn], exclusive: Sequence[Turn] = ()
) -> Diarized:
    """Give words and segments the speakers of the turns; `exclusive` turns do not overlap.

    Words are assigned by the exclusive turns where there are any. Speakers are numbered by first
    appearance in the text, then in the turns.
    """
    index = _TurnIndex(exclusive or turns)
    split: list[Segment] = []
    previous: str | None = None
    for segment in segments:
        for piece in _split(_assigned(segment, index, previous=previous)):
            previous = piece.speaker
            split.append(piece)
    ordered = sorted(turns or exclusive, key=lambda turn: (turn.start, turn.end))
    names = _names([segment.speaker for segment in split] + [turn.speaker for turn in ordered])
    renamed = [turn.model_copy(update={"speaker": names[turn.speaker]}) for turn in ordered]
    seconds: dict[str, float] = dict.fromkeys(names.values(), 0.0)
    for turn in renamed:
        seconds[turn.speaker] += turn.end - turn.start
    return Diarized(
        segments=[_renamed(segment, names) for segment in split],
        turns=renamed,
        speakers=[Speaker(id=name, seconds=round(total, 3)) for name, total in seconds.items()],
    )


def speakers_of_channels(segments: Sequence[Segment]) -> tuple[list[Segment], list[Speaker]]:
    """Make each channel a speaker, `speaker_<channel>`; channels without words have none."""
    named = [
        segment if segment.channel is None else with_speaker(segment, f"speaker_{segment.channel}")
        for segment in segments
    ]
    seconds: dict[int, float] = {}
    for segment in named:
        if segment.channel is not None:
            spoken = (segment.end or 0.0) - (segment.start or 0.0)
            seconds[segment.channel] = seconds.get(segment.channel, 0.0) + spoken
    return named, [
        Speaker(id=f"speaker_{channel}", channel=channel, seconds=round(total, 3))
        for channel, total in sorted(seconds.items())
    ]


def with_speaker(segment: Segment, speaker: str | None) -> Segment:
    """Give the segment and all its words that speaker."""
    words = tuple(word.model_copy(update={"speaker": speaker}) for word in segment.words)
    return segment.model_copy(update={"speaker": speaker, "words": words})


def _assigned(segment: Segment, index: _TurnIndex, *, previous: str | None) -> Segment:
    """Give each word of a segment a speaker; words without a time get that of the word before."""
    if not any(word.start is not None for word in segment.words):
        if segment.start is None:
            return with_speaker(segment, previous)
        end = segment.end if segment.end is not None else segment.start
        return with_speaker(segment, index.speaker(segment.start, end, previous=previous))
    speakers: list[str | None] = []
    for word in segment.words:
        if word.start is not None:
            end = word.end if word.end is not None else word.start
            previous = index.speaker(word.start, end, previous=previous)
        speakers.append(previous)
    words = tuple(
        word.model_copy(update={"speaker": speaker})
        for word, speaker in zip(segment.words, _folded(segment.words, speakers), strict=True)
    )
    return segment.model_copy(update={"words": words})


def _folded(words: Sequence[Word], speakers: list[str | None]) -> list[str | None]:
    """Give tiny runs in the midst of another speaker's words to that speaker."""
    runs: list[tuple[int, int]] = []
    for _, group in groupby(range(len(speakers)), key=lambda at: speakers[at]):
        members = list(group)
        runs.append((members[0], members[-1] + 1))
    folded = list(speakers)
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        around = folded[before[0]]
        if around == speakers[after[0]] and _is_tiny(words, run):
            folded[run[0] : run[1]] = [around] * (run[1] - run[0])
    return folded


def _is_tiny(words: Sequence[Word], run: tuple[int, int]) -> bool:
    first, last = words[run[0]], words[run[1] - 1]
    start, end = first.start, last.end if last.end is not None else last.start
    if start is None or end is None:
        return True
    if end - start >= TINY_SECONDS:
        return False
    before, after = words[run[0] - 1].end, words[run[1]].start
    return not (
        (before is not None and start - before > TINY_GAP_SECONDS)
        or (after is not None and after - end > TINY_GAP_SECONDS)
    )


def _split(segment: Segment) -> list[Segment]:
    """Divide a segment where the speaker changes; each piece keeps its share of the text."""
    runs = [list(group) for _, group in groupby(segment.words, key=lambda word: word.speaker)]
    if len(runs) <= 1:
        speaker = runs[0][0].speaker if runs else segment.speaker
        return [segment.model_copy(update={"speaker": speaker})]
    segment = with_consistent_text(segment)
    spans = word_spans(segment.text, segment.words) or []
    found: list[Segment] = []
    first = 0
    for run in runs:
        after = first + len(run)
        start = spans[first][0] if first else 0
        end = spans[after][0] if after < len(spans) else len(segment.text)
        changed = {
            "text": segment.text[start:end].strip(),
            "words": tuple(run),
            "speaker": run[0].speaker,
        }
        found.append(with_bounds_of_words(segment.model_copy(update=changed)))
        first = after
    return found


def _names(labels: Iterable[str | None]) -> dict[str, str]:
    names: dict[str, str] = {}
    for label in labels:
        if label is not None and label not in names:
            names[label] = f"speaker_{len(names)}"
    return names


def _renamed(segment: Segment, names: dict[str, str]) -> Segment:
    return with_speaker(segment, names[segment.speaker] if segment.speaker is not None else None)

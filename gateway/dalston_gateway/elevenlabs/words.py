"""The `words` of an answer: words, the spacing between them, and audio events. Pure functions.

Concatenated, the texts of all items are the text of the answer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dalston.transcripts import AudioEvent, Segment, Word, pieces
from dalston.transcripts.spacing import separator
from dalston_gateway.elevenlabs.form import Granularity

WORD, SPACING, AUDIO_EVENT = "word", "spacing", "audio_event"

_LEAST_LOGPROB = -100.0
"""JSON has no minus infinity; a probability of e^-100 is none."""

_ATOM = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of `words` before it is written; `word` is what it stands for, if it was measured."""

    text: str
    type: str
    start: float | None = None
    end: float | None = None
    logprob: float = 0.0
    speaker: str | None = None
    channel: int | None = None
    word: Word | None = None


def items_of(segments: Sequence[Segment], events: Sequence[AudioEvent] = ()) -> list[Item]:
    """Give the items of the segments in their order, with each event before what follows it."""
    blocks = [block for segment in segments if (block := _segment_items(segment))]
    if events:
        blocks = list(_with_events(blocks, events))
    joined: list[Item] = []
    for block in blocks:
        if joined and (space := separator(joined[-1].text, block[0].text)):
            joined.append(Item(space, SPACING))
        joined += block
    return [_timed(joined, index) for index in range(len(joined))]


def write_items(items: Sequence[Item], granularity: Granularity, *, speakers: bool) -> list[Any]:
    """Give the JSON entries; keys that were not asked for are left out."""
    return [_entry(item, granularity, speakers=speakers) for item in items]


def text_of(items: Sequence[Item]) -> str:
    """Give the text that the items make up."""
    return "".join(item.text for item in items)


def _segment_items(segment: Segment) -> list[Item]:
    """Give words and spacing; without word times the text is cut at its spaces."""
    found: list[Item] = []
    prefix = ""
    measured = [(text, word) for text, word in pieces(segment)] if segment.words else []
    for text, word in measured or [(segment.text.strip(), None)]:
        if word is not None:
            found.append(_word_item(prefix + text, word, segment))
            prefix = ""
            continue
        atoms = _ATOM.findall(text)
        # Punctuation that no word claims clings to the word that it touches.
        if found and found[-1].type == WORD and atoms and not atoms[0].isspace():
            found[-1] = replace(found[-1], text=found[-1].text + atoms.pop(0))
        if measured and atoms and not atoms[-1].isspace():
            prefix = atoms.pop()
        found += [_bare_item(atom, segment) for atom in atoms]
    if prefix:
        found.append(_bare_item(prefix, segment))
    return found


def _word_item(text: str, word: Word, segment: Segment) -> Item:
    logprob = word.logprob if word.logprob is not None else segment.avg_logprob
    return Item(
        text=text,
        type=WORD,
        start=word.start,
        end=word.end,
        logprob=_clamped(logprob),
        speaker=word.speaker or segment.speaker,
        channel=segment.channel,
        word=word,
    )


def _bare_item(text: str, segment: Segment) -> Item:
    spacing = text.isspace()
    return Item(
        text=text,
        type=SPACING if spacing else WORD,
        logprob=0.0 if spacing else _clamped(segment.avg_logprob),
        speaker=segment.speaker,
        channel=segment.channel,
    )


def _clamped(logprob: float | None) -> float:
    """The official JavaScript SDK refuses an entry without a number; 0 stands for unknown."""
    if logprob is None or logprob != logprob:
        return 0.0
    return round(min(0.0, max(_LEAST_LOGPROB, logprob)), 4)


def _with_events(
    blocks: Sequence[list[Item]], events: Sequence[AudioEvent]
) -> Iterator[list[Item]]:
    """Cut blocks where an event comes between their words."""
    waiting = sorted(events, key=lambda event: event.start)
    for block in blocks:
        rest: list[Item] = []
        for item in block:
            while waiting and item.start is not None and waiting[0].start <= item.start:
                while rest and rest[-1].type == SPACING:
                    rest.pop()
                if rest:
                    yield rest
                    rest = []
                yield [_event_item(waiting.pop(0))]
            if rest or item.type != SPACING:
                rest.append(item)
        if rest:
            yield rest
    for event in waiting:
        yield [_event_item(event)]


def _event_item(event: AudioEvent) -> Item:
    label = event.label if event.label.startswith("(") else f"({event.label})"
    return Item(
        text=label, type=AUDIO_EVENT, start=event.start, end=event.end, channel=event.channel
    )


def _timed(items: Sequence[Item], index: int) -> Item:
    """Give spacing the times between its neighbours, and their speaker and channel."""
    item = items[index]
    if item.type != SPACING or index == 0:
        return item
    before = items[index - 1]
    after = items[index + 1] if index + 1 < len(items) else None
    end = before.end
    if after is not None and after.start is not None and before.end is not None:
        end = max(after.start, before.end)
    return replace(item, start=before.end, end=end, speaker=before.speaker, channel=before.channel)


def _entry(item: Item, granularity: Granularity, *, speakers: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"text": item.text}
    if granularity != Granularity.NONE:
        found |= {"start": item.start, "end": item.end}
    found |= {"type": item.type, "logprob": item.logprob}
    if speakers:
        found["speaker_id"] = item.speaker
    if item.channel is not None:
        found["channel_index"] = item.channel
    if granularity == Granularity.CHARACTER and item.type != AUDIO_EVENT:
        found["characters"] = _characters(item)
    return found


def _characters(item: Item) -> list[dict[str, Any]]:
    """Give measured character times, or the item's time spread evenly over its characters.

    An even spread is never off by more than the length of the word, whose ends were measured; the
    answer's `warnings` tell of it.
    """
    measured = item.word.characters if item.word else None
    if measured and "".join(each.text for each in measured) == item.text:
        return [{"text": each.text, "start": each.start, "end": each.end} for each in measured]
    if item.start is None or item.end is None:
        return [{"text": each, "start": None, "end": None} for each in item.text]
    step = (item.end - item.start) / len(item.text)
    edges = [round(item.start + step * number, 3) for number in range(len(item.text) + 1)]
    return [
        {"text": each, "start": edges[number], "end": edges[number + 1]}
        for number, each in enumerate(item.text)
    ]

"""What the stages found, joined into one transcript: a pure function of their results.

Every word of every part appears once, in the order of its part; times count from the start of the
recording, run forwards and do not overlap within a track.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dalston.resources.transcription_options import SpeakerMode, Timestamps
from dalston.transcripts.entities import place_entities
from dalston.transcripts.languages import LanguageVote, decide_language
from dalston.transcripts.model import AudioEvent, Entity, Segment, Speaker, Transcript, Turn
from dalston.transcripts.redaction import redact
from dalston.transcripts.spacing import join_texts, with_consistent_text
from dalston.transcripts.speakers import diarize, speakers_of_channels
from dalston.transcripts.timeline import (
    in_order,
    interleave,
    shift_segment,
    spread_characters,
)


@dataclass(frozen=True, slots=True)
class MergeTrack:
    """A track of the recording; `channel` is None when the channels were mixed."""

    index: int
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class MergePart:
    """What one part says; `start` and `end` in seconds of the recording, segments in the part's."""

    track: int
    start: float
    end: float
    segments: tuple[Segment, ...]
    language: str | None = None
    language_probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInput:
    """Everything that a transcript is made of.

    `language` is the one that was asked for. `refined` segments stand in for those of the parts, in
    the recording's time. `turns` and `exclusive` are by track. `redacted_text` is the joined text with
    placeholders for some of the `entities`.
    """

    duration: float
    tracks: tuple[MergeTrack, ...]
    parts: tuple[MergePart, ...]
    speaker_mode: SpeakerMode = SpeakerMode.NONE
    timestamps: Timestamps = Timestamps.WORD
    language: str | None = None
    turns: Mapping[int, tuple[Turn, ...]] = field(default_factory=dict)
    exclusive: Mapping[int, tuple[Turn, ...]] = field(default_factory=dict)
    refined: tuple[Segment, ...] | None = None
    edited_text: str | None = None
    events: tuple[AudioEvent, ...] = ()
    entities: tuple[Entity, ...] | None = None
    redacted_text: str | None = None
    warnings: tuple[str, ...] = ()
    engines: Mapping[str, str] = field(default_factory=dict)


def merge(given: MergeInput) -> Transcript:
    """Join everything into the finished transcript."""
    joined = join_parts(given.parts, given.tracks)
    segments = joined if given.refined is None else numbered(given.refined)
    text = transcript_text(segments)
    entities, lost = place_entities(text, segments, given.entities)
    warnings = [*given.warnings, *lost]
    if given.redacted_text is not None:
        segments = redact(segments, entities or (), given.redacted_text)
        text = transcript_text(segments)
        entities = None
    language, probability = _language(given)
    segments, turns, speakers = _with_speakers(given, segments)
    segments = [_limited(segment, given.timestamps) for segment in segments]
    return Transcript(
        language=language,
        language_probability=probability,
        duration=round(given.duration, 3),
        channels=len(given.tracks),
        text=text,
        segments=tuple(numbered(segments)),
        speakers=tuple(speakers),
        turns=tuple(turns),
        events=tuple(sorted(given.events, key=lambda event: (event.start, event.end))),
        entities=entities,
        edited_text=given.edited_text,
        warnings=tuple(dict.fromkeys(warnings)),
        engines=dict(given.engines),
    )


def join_parts(parts: Sequence[MergePart], tracks: Sequence[MergeTrack]) -> list[Segment]:
    """Give the segments of all parts in the recording's time, channels interleaved, numbered.

    This is the text that later stages see: offsets of entities count in `transcript_text` of it.
    """
    by_track: list[list[Segment]] = []
    for track in tracks:
        mine = sorted((p for p in parts if p.track == track.index), key=lambda part: part.start)
        found = [
            shift_segment(
                _tidy(segment, channel=track.channel, language=part.language),
                start=part.start,
                end=part.end,
            )
            for part in mine
            for segment in part.segments
            if segment.text.strip() or any(word.text.strip() for word in segment.words)
        ]
        by_track.append(in_order(found))
    return numbered(interleave(by_track))


def transcript_text(segments: Sequence[Segment]) -> str:
    """Give the text of a transcript with these segments."""
    return join_texts(segment.text for segment in segments)


def numbered(segments: Sequence[Segment]) -> list[Segment]:
    """Give the segments ids from 0."""
    return [segment.model_copy(update={"id": index}) for index, segment in enumerate(segments)]


def _tidy(segment: Segment, *, channel: int | None, language: str | None) -> Segment:
    """Give the segment its channel and language, words without space around and none that are empty."""
    words = tuple(
        word
        if word.text == word.text.strip()
        else word.model_copy(update={"text": word.text.strip()})
        for word in segment.words
        if word.text.strip()
    )
    changed = {
        "words": words,
        "channel": channel,
        "language": segment.language or language,
    }
    return with_consistent_text(segment.model_copy(update=changed))


def _language(given: MergeInput) -> tuple[str | None, float | None]:
    if given.language is not None:
        return given.language, None
    return decide_language(
        [
            LanguageVote(part.language, part.language_probability, _spoken_seconds(part))
            for part in given.parts
        ]
    )


def _spoken_seconds(part: MergePart) -> float:
    if not any(segment.text.strip() for segment in part.segments):
        return 0.0
    timed = [
        segment.end - segment.start
        for segment in part.segments
        if segment.start is not None and segment.end is not None
    ]
    return max(sum(timed), 0.001) if timed else part.end - part.start


def _with_speakers(
    given: MergeInput, segments: list[Segment]
) -> tuple[list[Segment], list[Turn], list[Speaker]]:
    if given.speaker_mode is SpeakerMode.CHANNELS:
        named, speakers = speakers_of_channels(segments)
        return named, [], speakers
    if given.speaker_mode is SpeakerMode.DIARIZE:
        turns = [turn for found in given.turns.values() for turn in found]
        exclusive = [turn for found in given.exclusive.values() for turn in found]
        if turns or exclusive:
            result = diarize(segments, turns, exclusive)
            return result.segments, result.turns, result.speakers
    return segments, [], []


def _limited(segment: Segment, timestamps: Timestamps) -> Segment:
    """Leave out times finer than were asked for; spread characters that were not measured."""
    if timestamps is Timestamps.CHARACTER:
        return segment.model_copy(update={"words": tuple(map(spread_characters, segment.words))})
    if timestamps is Timestamps.WORD:
        if not any(word.characters for word in segment.words):
            return segment
        plain = tuple(word.model_copy(update={"characters": None}) for word in segment.words)
        return segment.model_copy(update={"words": plain})
    changed: dict[str, object] = {"words": ()}
    if timestamps is Timestamps.NONE:
        changed |= {"start": None, "end": None}
    return segment.model_copy(update=changed)

"""From a stored transcript to the answers of the ElevenLabs API (contract, section 4). Pure functions."""

from collections.abc import Sequence
from typing import Any

from dalston.resources.transcription_options import SpeakerMode
from dalston.transcripts import Entity, Segment, Transcript
from dalston.transcripts.formats import FormatOptions, NoTimes, TranscriptFormat, render
from dalston_gateway.elevenlabs.form import ChannelStyle, FormatRequest, Granularity
from dalston_gateway.elevenlabs.translation import AnswerOptions
from dalston_gateway.elevenlabs.words import items_of, text_of, write_items
from dalston_gateway.languages import iso_639_3

JSON = dict[str, Any]

_SPREAD = "timestamps_granularity: character times are spread evenly over each measured word"


def answer(
    transcript: Transcript,
    *,
    options: AnswerOptions,
    mode: SpeakerMode,
    language_given: bool,
    id: str | None,
    warnings: Sequence[str] = (),
) -> JSON:
    """Give the Chunk, or the Multichannel object for channels that are answered separately.

    `id` is None for a transcript that is not kept.
    """
    notes = list(dict.fromkeys((*options.warnings, *warnings, *transcript.warnings)))
    separate = mode == SpeakerMode.CHANNELS and options.channel_style == ChannelStyle.SEPARATE
    if separate:
        found: JSON = {
            "transcripts": [
                _chunk(
                    channel_of(transcript, channel),
                    options=options,
                    speakers=False,
                    language_given=language_given,
                )
                | {"channel_index": channel}
                for channel in range(max(1, transcript.channels))
            ]
        }
    else:
        speakers = mode == SpeakerMode.DIARIZE or (
            mode == SpeakerMode.CHANNELS and bool(transcript.speakers)
        )
        found = _chunk(
            transcript, options=options, speakers=speakers, language_given=language_given
        )
    if _spreads(transcript, options) and not any("character times" in note for note in notes):
        notes.append(_SPREAD)
    found["transcription_id"] = id
    found["audio_duration_secs"] = transcript.duration
    if notes:
        found["warnings"] = list(dict.fromkeys(notes))
    return found


def channel_of(transcript: Transcript, channel: int) -> Transcript:
    """Give what one channel says, as a transcript of its own."""
    segments = tuple(
        each if each.channel is not None else each.model_copy(update={"channel": channel})
        for each in transcript.segments
        if each.channel in (None, channel)
    )
    return transcript.model_copy(
        update={
            "segments": segments,
            "events": tuple(e for e in transcript.events if e.channel in (None, channel)),
            "language": _language(segments) or transcript.language,
            "entities": None,
        }
    )


def _language(segments: Sequence[Segment]) -> str | None:
    return next((segment.language for segment in segments if segment.language), None)


def _chunk(
    transcript: Transcript, *, options: AnswerOptions, speakers: bool, language_given: bool
) -> JSON:
    plain = items_of(transcript.segments)
    items = items_of(transcript.segments, transcript.events) if transcript.events else plain
    found: JSON = {
        "language_code": iso_639_3(transcript.language),
        "language_probability": _probability(transcript, given=language_given),
        "text": text_of(items),
        "words": write_items(items, options.granularity, speakers=speakers),
    }
    if options.formats:
        found["additional_formats"] = [_format(transcript, each) for each in options.formats]
    if transcript.entities is not None:
        found["entities"] = _entities(transcript.entities, text_of(plain), found["text"])
    if transcript.edited_text is not None:
        found["edited_transcript"] = {
            "kind": "transcript",
            "text": found["text"],
            "edited_text": transcript.edited_text,
        }
    return found


def _probability(transcript: Transcript, *, given: bool) -> float:
    """The field is required: 1 for a language that was given, or is the only one that the model knows.

    0 when no language is known.
    """
    if transcript.language is None:
        return 0.0
    if given or transcript.language_probability is None:
        return 1.0
    return round(transcript.language_probability, 4)


def _format(transcript: Transcript, request: FormatRequest) -> JSON | None:
    """Give one additional format; None for subtitles of a transcript without times."""
    options = FormatOptions.model_validate(request.model_dump(exclude={"format"}))
    try:
        rendered = render(transcript, TranscriptFormat(request.format), options)
    except NoTimes:
        return None
    return {
        "requested_format": request.format,
        "file_extension": rendered.extension,
        "content_type": rendered.content_type,
        "is_base64_encoded": False,
        "content": rendered.text,
    }


def _entities(entities: Sequence[Entity], plain: str, shown: str) -> list[JSON]:
    """Give the entities at their places in the shown text, which may have audio events in between."""
    found = []
    after = 0
    for entity in sorted(entities, key=lambda each: each.start_char):
        start, end = entity.start_char, entity.end_char
        if shown != plain:
            start = shown.find(entity.text, after)
            if start < 0:
                continue
            end = start + len(entity.text)
        after = start
        found.append(
            {
                "text": entity.text,
                "entity_type": entity.type,
                "start_char": start,
                "end_char": end,
            }
        )
    return found


def _spreads(transcript: Transcript, options: AnswerOptions) -> bool:
    if options.granularity != Granularity.CHARACTER:
        return False
    words = transcript.words()
    return bool(words) and any(word.characters is None for word in words)

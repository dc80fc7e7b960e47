"""Transcripts: what a recording says, when, and by whom; how it is put together and written down."""

from dalston.transcripts.merging import (
    MergeInput,
    MergePart,
    MergeTrack,
    join_parts,
    merge,
    transcript_text,
)
from dalston.transcripts.model import (
    AudioEvent,
    Character,
    Entity,
    Segment,
    Speaker,
    Transcript,
    Turn,
    Word,
)
from dalston.transcripts.spacing import join_texts, pieces

__all__ = [
    "AudioEvent",
    "Character",
    "Entity",
    "MergeInput",
    "MergePart",
    "MergeTrack",
    "Segment",
    "Speaker",
    "Transcript",
    "Turn",
    "Word",
    "join_parts",
    "join_texts",
    "merge",
    "pieces",
    "transcript_text",
]

"""Transcripts: what a recording says, when, and by whom."""

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

__all__ = ["AudioEvent", "Character", "Entity", "Segment", "Speaker", "Transcript", "Turn", "Word"]

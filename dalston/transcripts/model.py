"""The transcript as it is stored: segments of words, with times in seconds from the start.

Confidence, language, speaker and times are None where they are not known; nothing is invented.
"""

from pydantic import BaseModel, ConfigDict, Field


class TranscriptModel(BaseModel):
    """A part of a transcript; stored as JSON with snake_case names."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Character(TranscriptModel):
    """One character of a word, with its times."""

    text: str
    start: float | None = None
    end: float | None = None


class Word(TranscriptModel):
    """One word as written, without surrounding space.

    `logprob` is the natural logarithm of the word's probability (<= 0). `interpolated` marks
    times that were not measured but laid between those of the neighbours.
    """

    text: str
    start: float | None = None
    end: float | None = None
    logprob: float | None = None
    speaker: str | None = None
    characters: tuple[Character, ...] | None = None
    interpolated: bool = False


class Segment(TranscriptModel):
    """A stretch of speech; its text is what its words say, with the spaces between them.

    `words` is empty when the transcript has no word times. `channel` counts from 0 and is None for
    a recording that is transcribed as one channel.
    """

    id: int = 0
    start: float | None = None
    end: float | None = None
    text: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    channel: int | None = None
    language: str | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None


class Turn(TranscriptModel):
    """A stretch of time in which one speaker talks; turns may overlap."""

    start: float
    end: float
    speaker: str


class Speaker(TranscriptModel):
    """Somebody who speaks: `speaker_0`, `speaker_1`, ... in order of first appearance."""

    id: str
    label: str | None = None
    channel: int | None = None
    seconds: float = 0.0


class AudioEvent(TranscriptModel):
    """Something heard that is not speech."""

    label: str
    start: float
    end: float
    score: float | None = None
    channel: int | None = None


class Entity(TranscriptModel):
    """A name, number or the like in the text; characters are offsets into `Transcript.text`."""

    text: str
    type: str
    start_char: int
    end_char: int
    start: float | None = None
    end: float | None = None


class Transcript(TranscriptModel):
    """Everything that is known of what a recording says.

    `duration` is seconds of audio; `language` is ISO 639-1 where it has such a code, else 639-3;
    `language_probability` is None when the language was given or could not be judged.
    """

    language: str | None = None
    language_probability: float | None = None
    duration: float
    channels: int = 1
    text: str
    segments: tuple[Segment, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    turns: tuple[Turn, ...] = ()
    events: tuple[AudioEvent, ...] = ()
    entities: tuple[Entity, ...] | None = None
    edited_text: str | None = None
    warnings: tuple[str, ...] = ()
    engines: dict[str, str] = Field(default_factory=dict)

    def words(self) -> list[Word]:
        """Give all words in the order of the segments."""
        return [word for segment in self.segments for word in segment.words]

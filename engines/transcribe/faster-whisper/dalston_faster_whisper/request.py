"""What is asked of a transcription, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

SAMPLE_RATE = 16_000

Span = tuple[float, float]
"""Start and end in seconds."""

Progress = Callable[[float, float], None]
"""Called with seconds of speech done and in all."""

Check = Callable[[], None]
"""Raises when the work is not wanted any more."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """How to transcribe. `language` is a code of Whisper's, None to detect it.

    `temperature` is that of the first decoding; the fallback goes on from there. `hotwords` and
    `prompt` are put before each window.
    """

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    beam_size: int = 5
    temperature: float = 0.0
    hotwords: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word with the space before it, as the model writes it; times in seconds."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or a stretch of speech between pauses."""

    words: tuple[Word, ...]
    avg_logprob: float
    no_speech_prob: float

    @property
    def text(self) -> str:
        """What is said, without surrounding space."""
        return "".join(word.text for word in self.words).strip()

    @property
    def start(self) -> float:
        """Start of the first word."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """End of the last word."""
        return self.words[-1].end


@dataclass(frozen=True, kw_only=True)
class Transcription:
    """What was said. `language_probability` is None where the language was not detected.

    `retried` counts windows that were decoded again, by reason; for logs and measurements.
    """

    segments: tuple[Segment, ...]
    language: str | None
    language_probability: float | None
    retried: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All segments, joined as the model spaces them."""
        return "".join(word.text for segment in self.segments for word in segment.words).strip()


def no_progress(done: float, total: float) -> None:
    """Ignore progress."""


def never_cancelled() -> None:
    """Always go on."""

"""Signs that a decoding went wrong: loops, text without end, text that the model itself doubts."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0
MAX_NO_SPEECH_PROB = 0.6
"""The limits of Whisper's own fallback."""

MAX_REPEATS = 4
LONGEST_REPEATED = 8
"""Words: the same one to eight of them, more often than this in a row, are a loop."""

TOKENS_PER_SECOND = 10.0
SPARE_TOKENS = 24
"""Speech has 3 to 6 tokens a second in Latin script; the cap ends a loop early."""

MIN_SPOKEN_SECONDS = 1.5
"""So much speech has some text."""


class Alarm(StrEnum):
    """Why a text is not believed."""

    UNFINISHED = "unfinished"
    REPETITIVE = "repetitive"
    UNLIKELY = "unlikely"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of one window; `finished` when the model ended it itself."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    finished: bool = True
    temperature: float = 0.0

    @property
    def silent(self) -> bool:
        """Whether the model hears no speech and doubts what it wrote."""
        return self.no_speech_prob > MAX_NO_SPEECH_PROB and self.avg_logprob < MIN_AVG_LOGPROB


def token_cap(seconds: float, tokens_per_second: float = TOKENS_PER_SECOND) -> int:
    """Give the most tokens that so much audio may have."""
    return int(seconds * tokens_per_second) + SPARE_TOKENS


def alarm(decoded: Decoded, *, spoken_seconds: float) -> Alarm | None:
    """Tell what is wrong with a text of so much speech; None when nothing is."""
    if not decoded.finished:
        return Alarm.UNFINISHED
    if not decoded.text.strip():
        return Alarm.EMPTY if spoken_seconds >= MIN_SPOKEN_SECONDS else None
    if compression_ratio(decoded.text) > MAX_COMPRESSION_RATIO or loops(decoded.text.split()):
        return Alarm.REPETITIVE
    if decoded.avg_logprob < MIN_AVG_LOGPROB and not decoded.silent:
        return Alarm.UNLIKELY
    return None


def compression_ratio(text: str) -> float:
    """Give how many times smaller the text becomes when it is compressed."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def loops(words: Sequence[str]) -> bool:
    """Tell whether some words repeat more often in a row than people do."""
    for length in range(1, min(LONGEST_REPEATED, len(words) // (MAX_REPEATS + 1)) + 1):
        run = 0
        for index in range(length, len(words)):
            run = run + 1 if words[index] == words[index - length] else 0
            if run >= length * MAX_REPEATS:
                return True
    return False

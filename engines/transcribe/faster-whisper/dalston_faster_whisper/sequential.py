"""faster-whisper's own way: one window of 30 s after the other, each told what the last one said.

Slower than batches, and a mistake may carry on into the next window; names and style stay the same
throughout, which some recordings need more.
"""

from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from dalston_faster_whisper.request import (
    SAMPLE_RATE,
    Check,
    Progress,
    Request,
    Segment,
    Transcription,
    Word,
    never_cancelled,
    no_progress,
)
from dalston_faster_whisper.segments import sentences

_FALLBACK = (0.2, 0.4, 0.6, 0.8, 1.0)


def transcribe_sequentially(
    model: WhisperModel,
    samples: NDArray[np.float32],
    request: Request,
    *,
    on_progress: Progress = no_progress,
    check: Check = never_cancelled,
) -> Transcription:
    """Transcribe 16 kHz mono samples; whatever `check` raises ends the work within a window."""
    duration = len(samples) / SAMPLE_RATE
    check()
    temperatures = [request.temperature, *(t for t in _FALLBACK if t > request.temperature)]
    found, info = model.transcribe(
        samples,
        language=request.language,
        task=request.task,
        beam_size=request.beam_size,
        temperature=temperatures,
        condition_on_previous_text=True,
        initial_prompt=request.prompt,
        hotwords=request.hotwords,
        word_timestamps=True,
        vad_filter=True,
    )
    segments: list[Segment] = []
    for each in found:
        check()
        on_progress(min(each.end, duration), duration)
        segments += _sentences(each)
    detected = request.language is None and model.model.is_multilingual and bool(segments)
    return Transcription(
        segments=tuple(segments),
        language=info.language if segments or request.language else None,
        language_probability=info.language_probability if detected else None,
    )


def _sentences(each: Any) -> list[Segment]:
    words = [Word(word.word, word.start, word.end, word.probability) for word in each.words]
    return list(sentences(words, avg_logprob=each.avg_logprob, no_speech_prob=each.no_speech_prob))

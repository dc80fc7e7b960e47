"""The whole way from samples to segments, in batches on several threads."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from dalston_faster_whisper.coverage import missed_speech, settled, without_stretching
from dalston_faster_whisper.decoder import Decoder, language_probabilities
from dalston_faster_whisper.encoder import Encoder, Memory
from dalston_faster_whisper.guard import Alarm, Decoded, alarm
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
from dalston_faster_whisper.speech import speech_probabilities, speech_spans
from dalston_faster_whisper.windows import Window, batches, plan_windows
from dalston_faster_whisper.words import Aligner, fitted_to_speech

logger = logging.getLogger(__name__)

TARGET_SECONDS = 12.0
FULL_TARGET_SECONDS = 27.0
"""How long windows are where the encoder is right-sized, and where every window costs 30 s."""

_DETECTION_WINDOWS = 3
"""Windows that the language is detected in."""

_SURE_PROBABILITY = 0.9
"""Of a language; below this it is judged once more."""

_ROUNDS = 2
"""How often speech without words is decoded again."""

_LIKELY_LOGPROB = -0.7
"""What is found in speech that was passed over at first is taken only when the model is sure."""


@dataclass(frozen=True)
class Heard:
    """What one window says."""

    window: Window
    decoded: Decoded
    words: tuple[Word, ...]


@dataclass
class Run:
    """One transcription: what the batches share."""

    samples: NDArray[np.float32]
    decoder: Decoder
    aligner: Aligner
    check: Check
    retried: Counter[str] = field(default_factory=Counter)

    def audio(self, window: Window) -> NDArray[np.float32]:
        """Give the samples of a window."""
        return _cut(self.samples, window)


class Transcriber:
    """Transcribes with one loaded model; several threads may call it at once.

    `parallel` is how many batches the model decodes side by side (its `num_workers`).
    """

    def __init__(self, model: WhisperModel, *, parallel: int = 1) -> None:
        self._model = model
        self._parallel = parallel
        self._encoder = Encoder(model)
        self._rows = _rows_of_batch(self._encoder.width, on_cpu=model.model.device == "cpu")
        self._target = TARGET_SECONDS if self._encoder.right_sized else FULL_TARGET_SECONDS

    def transcribe(
        self,
        samples: NDArray[np.float32],
        request: Request,
        *,
        on_progress: Progress = no_progress,
        check: Check = never_cancelled,
    ) -> Transcription:
        """Transcribe 16 kHz mono samples; whatever `check` raises ends the work within a batch."""
        duration = len(samples) / SAMPLE_RATE
        with ThreadPoolExecutor(self._parallel) as pool:
            check()
            spans = speech_spans(speech_probabilities(samples, pool), duration=duration)
            windows = plan_windows(spans, duration=duration, target=self._target)
            check()
            run, known, probability = self._begin(samples, request, windows, check)
            first = len(known.frames) if known else 0
            jobs = [pool.submit(self._hear, run, windows[:first], known)] if known else []
            jobs += self._submit(pool, run, windows[first:])
            heard = list(_reporting(_finished(jobs), windows, on_progress, check))
            heard = self._with_missed(pool, run, heard)
        return Transcription(
            segments=tuple(
                segment for each in sorted(heard, key=_place) for segment in _segments(each)
            ),
            language=run.decoder.tokenizer.language_code if windows or request.language else None,
            language_probability=probability,
            retried=dict(run.retried),
        )

    def warm_up(self, samples: NDArray[np.float32]) -> None:
        """Run every step once on some samples, speech or not; what is heard is dropped."""
        speech_probabilities(samples)
        window = Window(0.0, len(samples) / SAMPLE_RATE, ())
        run, known, _ = self._begin(samples, Request(), [window], never_cancelled)
        memory = known or self._encoder.encode([samples])
        run.aligner.align(memory, run.decoder.decode(memory))

    def _begin(
        self,
        samples: NDArray[np.float32],
        request: Request,
        windows: Sequence[Window],
        check: Check,
    ) -> tuple[Run, Memory | None, float | None]:
        """Find the language; the windows in which it was found are encoded then, and given too."""
        language, probability, known = request.language, None, None
        multilingual: bool = self._model.model.is_multilingual
        if multilingual and language is None and windows:
            rows = [_cut(samples, window) for window in windows[:_DETECTION_WINDOWS]]
            known = self._encoder.encode(rows)
            language, probability = self._language(rows, known)
        tokenizer = Tokenizer(
            self._model.hf_tokenizer, multilingual, task=request.task, language=language or "en"
        )
        decoder = Decoder(self._model, tokenizer, request)
        aligner = Aligner(self._model, tokenizer)
        return Run(samples, decoder, aligner, check), known, probability

    def _language(self, rows: Sequence[NDArray[np.float32]], memory: Memory) -> tuple[str, float]:
        """Give the language of the windows together, and how sure it is.

        Short windows make the model less certain, so what is in doubt is judged at 30 s.
        """
        weights = [len(row) for row in rows]
        shares = language_probabilities(self._model, memory, weights)
        if max(shares.values()) < _SURE_PROBABILITY:
            full = self._encoder.encode(rows, full=True)
            shares = language_probabilities(self._model, full, weights)
        language = max(shares, key=lambda code: shares[code])
        return language, shares[language]

    def _submit(
        self, pool: ThreadPoolExecutor, run: Run, windows: Sequence[Window]
    ) -> list[Future[list[Heard]]]:
        return [
            pool.submit(self._hear, run, [windows[index] for index in batch])
            for batch in batches(windows, rows=self._rows, parallel=self._parallel)
        ]

    def _hear(
        self, run: Run, windows: Sequence[Window], memory: Memory | None = None
    ) -> list[Heard]:
        """Decode one batch; what raises an alarm is decoded once more, patiently, at 30 s."""
        run.check()
        memory = memory or self._encoder.encode([run.audio(window) for window in windows])
        decoded = run.decoder.decode(memory)
        words = run.aligner.align(memory, decoded)
        heard = []
        for window, text, found in zip(windows, decoded, words, strict=True):
            spoken = sum(end - start for start, end in window.spans)
            reason = alarm(text, spoken_seconds=spoken)
            if reason is not None:
                text, found = self._hear_again(run, window, text, found, reason)
            heard.append(_placed(window, text, found))
        return heard

    def _hear_again(
        self, run: Run, window: Window, text: Decoded, words: list[Word], reason: Alarm
    ) -> tuple[Decoded, list[Word]]:
        run.check()
        run.retried[reason.value] += 1
        logger.debug("window at %.2f s is decoded again: %s", window.start, reason)
        memory = self._encoder.encode([run.audio(window)], full=True)
        again = run.decoder.decode_patiently(memory)
        if reason is Alarm.UNLIKELY and again.avg_logprob < text.avg_logprob:
            return text, words
        return again, run.aligner.align(memory, [again])[0]

    def _with_missed(self, pool: ThreadPoolExecutor, run: Run, heard: list[Heard]) -> list[Heard]:
        """Decode speech that got no words in windows of its own, and put its words in place."""
        fresh = heard
        for _ in range(_ROUNDS):
            missed = [
                window
                for each in fresh
                if not each.decoded.silent
                for window in missed_speech(each.words, each.window.spans)
            ]
            if not missed:
                break
            run.retried["missed"] += len(missed)
            jobs = self._submit(pool, run, missed)
            fresh = [each for each in _finished(jobs) if each.words and _is_believed(each.decoded)]
            heard = [part for each in heard for part in divided(each, fresh)] + fresh
        return heard


def _cut(samples: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    return samples[int(window.start * SAMPLE_RATE) : int(window.end * SAMPLE_RATE)]


def _rows_of_batch(width: int, *, on_cpu: bool) -> int:
    """Give how many windows are decoded at once: so many that a batch takes a second or two."""
    if not on_cpu:
        return 16
    return 8 if width <= 512 else 4 if width <= 768 else 2


def _finished(jobs: Sequence[Future[list[Heard]]]) -> Iterator[Heard]:
    """Give what the jobs find as they finish; when one fails, those that wait are dropped."""
    try:
        for job in as_completed(jobs):
            yield from job.result()
    finally:
        for job in jobs:
            job.cancel()


def _reporting(
    found: Iterable[Heard], windows: Sequence[Window], on_progress: Progress, check: Check
) -> Iterator[Heard]:
    """Pass on what is heard, and report the share of the windows as seconds of speech."""
    total = sum(window.seconds for window in windows)
    done = 0.0
    for each in found:
        done = min(total, done + each.window.seconds)
        on_progress(done, total)
        check()
        yield each


def _place(heard: Heard) -> float:
    return heard.words[0].start if heard.words else heard.window.start


def _placed(window: Window, decoded: Decoded, words: Sequence[Word]) -> Heard:
    """Put the words of a window into the time of the recording."""
    shifted = [
        replace(word, start=word.start + window.start, end=word.end + window.start)
        for word in words
    ]
    fitted = settled(fitted_to_speech(shifted, window.spans), window.spans)
    return Heard(window, decoded, tuple(fitted))


def _is_believed(decoded: Decoded) -> bool:
    return decoded.avg_logprob >= _LIKELY_LOGPROB


def divided(heard: Heard, inside: Sequence[Heard]) -> Iterator[Heard]:
    """Divide a window at the places where others were heard inside it."""
    words = without_stretching(heard.words) if inside else list(heard.words)
    places = sorted(each.window.start for each in inside if each is not heard)
    for place in places:
        before = [word for word in words if word.start < place]
        words = words[len(before) :]
        if before:
            yield replace(heard, words=tuple(before))
    if words:
        yield replace(heard, words=tuple(words))


def _segments(heard: Heard) -> Iterator[Segment]:
    if heard.decoded.silent or not heard.words:
        return iter(())
    return sentences(
        heard.words,
        avg_logprob=heard.decoded.avg_logprob,
        no_speech_prob=heard.decoded.no_speech_prob,
    )

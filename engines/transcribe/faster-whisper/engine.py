"""TRANSCRIBE with Whisper on CTranslate2: text with word times and probabilities, language found."""

import logging
import math
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import numpy as np
from dalston_faster_whisper.languages import whisper_language
from dalston_faster_whisper.request import Request, Transcription
from dalston_faster_whisper.request import Segment as Heard
from dalston_faster_whisper.sequential import transcribe_sequentially
from dalston_faster_whisper.transcriber import Transcriber
from faster_whisper import WhisperModel

from dalston.engine_sdk import (
    Engine,
    EngineContext,
    OptionError,
    Segment,
    Task,
    TaskKind,
    Timestamps,
    TranscribeResult,
    TranscriptionOptions,
    Word,
    read_wav,
)

logger = logging.getLogger(__name__)

_LEAST_PROBABILITY = 1e-10
"""Keeps the logarithm of a probability finite."""

_MOST_PARALLEL = 4
"""Batches decoded side by side; with more processor threads than this, each batch gets several."""

_NO_SEED = "seed has no effect: the engine faster-whisper cannot repeat its sampling"

_WORD_TIMES = (Timestamps.WORD, Timestamps.CHARACTER)


@dataclass(frozen=True)
class Settings:
    """The engine's parameters; see engine.yaml."""

    mode: Literal["batched", "sequential"] = "batched"
    beam_size: int = 5
    compute_type: str = "default"

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> "Settings":
        """Read the manifest's values; what is absent keeps its default."""
        return cls(
            mode=parameters.get("mode", cls.mode),
            beam_size=int(parameters.get("beamSize", cls.beam_size)),
            compute_type=str(parameters.get("computeType", cls.compute_type)),
        )


@dataclass(frozen=True)
class Loaded:
    """A model that is in memory, and what transcribes with it."""

    reference: str
    model: WhisperModel
    transcriber: Transcriber


class FasterWhisper(Engine):
    """Keeps one model loaded; a task for another model replaces it."""

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._settings = Settings.from_parameters(context.parameters)
        self._lock = Lock()
        self._loaded: Loaded | None = None

    def load(self) -> None:
        """Load the default model, and use it once: first calls are slower than all later ones."""
        loaded = self._model(None)
        rng = np.random.default_rng(0)
        loaded.transcriber.warm_up(rng.normal(0.0, 0.05, 16_000).astype(np.float32))

    def process(self, task: Task) -> TranscribeResult:
        """Transcribe one part; raises OptionError for a language that the model does not know."""
        assert task.audio is not None, "TRANSCRIBE tasks have audio"
        loaded = self._model(task.request.model)
        request = self._request(task, loaded.model)
        samples = read_wav(task.audio)
        if self._settings.mode == "sequential":
            found = transcribe_sequentially(
                loaded.model,
                samples,
                request,
                on_progress=task.progress,
                check=task.check_cancelled,
            )
        else:
            found = loaded.transcriber.transcribe(
                samples, request, on_progress=task.progress, check=task.check_cancelled
            )
        if found.retried:
            logger.info("decoded again: %s", found.retried)
        return _result(found, task.options)

    def _model(self, name: str | None) -> Loaded:
        resolved = self.context.models.resolve(name)
        with self._lock:
            if self._loaded is None or self._loaded.reference != resolved.reference:
                self._loaded = None  # frees the old model before the new one is loaded
                self._loaded = self._load(resolved.reference)
            return self._loaded

    def _load(self, reference: str) -> Loaded:
        on_cpu = self.context.device == "cpu"
        parallel = min(self.context.threads, _MOST_PARALLEL) if on_cpu else 1
        model = WhisperModel(
            reference,
            device=self.context.device,
            compute_type=self._settings.compute_type,
            cpu_threads=max(self.context.threads // parallel, 1),
            num_workers=parallel,
            local_files_only=not self.context.models.allow_download,
        )
        return Loaded(reference, model, Transcriber(model, parallel=parallel))

    def _request(self, task: Task, model: WhisperModel) -> Request:
        options = task.options
        language = None
        if options.language is not None:
            language = whisper_language(options.language, model.supported_languages)
            if language is None:
                name = task.request.model or self.context.models.default
                raise OptionError(
                    "UnsupportedLanguage",
                    f"Model {name} does not know language {options.language!r}.",
                )
        translate = options.task is TaskKind.TRANSLATE
        if translate and not model.model.is_multilingual:
            raise OptionError("UnsupportedTask", "An English-only model cannot translate.")
        return Request(
            language=language,
            task="translate" if translate else "transcribe",
            beam_size=self._settings.beam_size,
            temperature=options.temperature or 0.0,
            # As a sentence: the model goes on in the style of what it is given.
            hotwords=", ".join(options.vocabulary) + "." if options.vocabulary else None,
            prompt=options.prompt,
        )


def _result(found: Transcription, options: TranscriptionOptions) -> TranscribeResult:
    with_words = options.timestamps in _WORD_TIMES
    return TranscribeResult(
        warnings=(_NO_SEED,) if options.seed is not None else (),
        language=found.language,
        language_probability=found.language_probability,
        segments=tuple(
            _segment(number, heard, with_words=with_words)
            for number, heard in enumerate(found.segments)
        ),
    )


def _segment(number: int, heard: Heard, *, with_words: bool) -> Segment:
    return Segment(
        id=number,
        start=heard.start,
        end=heard.end,
        text=heard.text,
        words=tuple(
            Word(
                text=word.text.strip(),
                start=word.start,
                end=word.end,
                logprob=math.log(min(max(word.probability, _LEAST_PROBABILITY), 1.0)),
            )
            for word in heard.words
            if word.text.strip()
        )
        if with_words
        else (),
        avg_logprob=heard.avg_logprob,
        no_speech_prob=heard.no_speech_prob,
    )

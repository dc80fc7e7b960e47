"""TRANSCRIBE with Whisper on CTranslate2: text with word times and probabilities, language found."""

import math
from threading import Lock
from typing import Any

from dalston.engine_sdk import (
    Engine,
    EngineContext,
    OptionError,
    Segment,
    Task,
    Timestamps,
    TranscribeResult,
    Word,
    read_wav,
)
from dalston_faster_whisper.request import Request, Transcription
from dalston_faster_whisper.request import Segment as Heard
from dalston_faster_whisper.transcriber import Transcriber
from faster_whisper import WhisperModel

_LEAST_PROBABILITY = 1e-10
"""Keeps the logarithm of a probability finite."""


class FasterWhisper(Engine):
    """Keeps one model loaded; a task for another model replaces it."""

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._lock = Lock()
        self._loaded: tuple[str, WhisperModel] | None = None

    def load(self) -> None:
        """Load the default model."""
        self._model(None)

    def process(self, task: Task) -> TranscribeResult:
        """Transcribe one part; raises OptionError for a language that the model does not know."""
        assert task.audio is not None, "TRANSCRIBE tasks have audio"
        model = self._model(task.request.model)
        found = self._transcriber(model).transcribe(
            read_wav(task.audio),
            _request(task, model, self.context.parameters),
            on_progress=task.progress,
            check=task.check_cancelled,
        )
        return _result(found, with_words=task.options.timestamps in _WORD_TIMES)

    def _transcriber(self, model: WhisperModel) -> Transcriber:
        return Transcriber(model, parallel=self._parallel())

    def _parallel(self) -> int:
        """Batches decoded side by side: one a processor thread, one on an accelerator."""
        return self.context.threads if self.context.device == "cpu" else 1

    def _model(self, name: str | None) -> WhisperModel:
        resolved = self.context.models.resolve(name)
        with self._lock:
            if self._loaded is None or self._loaded[0] != resolved.reference:
                self._loaded = None  # frees the old model before the new one is loaded
                self._loaded = (resolved.reference, self._load(resolved.reference))
            return self._loaded[1]

    def _load(self, reference: str) -> WhisperModel:
        parallel = self._parallel()
        return WhisperModel(
            reference,
            device=self.context.device,
            compute_type=str(self.context.parameters.get("computeType", "default")),
            cpu_threads=max(self.context.threads // parallel, 1),
            num_workers=parallel,
            local_files_only=not self.context.models.allow_download,
        )


_WORD_TIMES = (Timestamps.WORD, Timestamps.CHARACTER)


def _request(task: Task, model: WhisperModel, parameters: dict[str, Any]) -> Request:
    options = task.options
    language = options.language.split("-")[0] if options.language else None
    if language is not None and language not in model.supported_languages:
        raise OptionError(
            "UnsupportedLanguage",
            f"Model {task.request.model} does not know language {options.language!r}.",
        )
    return Request(
        language=language,
        task=str(options.task),  # type: ignore[arg-type]
        beam_size=int(parameters.get("beamSize", 5)),
        temperature=options.temperature or 0.0,
        hotwords=", ".join(options.vocabulary) or None,
        prompt=options.prompt,
    )


def _result(found: Transcription, *, with_words: bool) -> TranscribeResult:
    return TranscribeResult(
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

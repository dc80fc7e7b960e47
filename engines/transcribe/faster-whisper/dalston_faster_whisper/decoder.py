"""From encoded windows to tokens: beam search in batches, and the fallback for what fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from dalston_faster_whisper.encoder import FRAMES_PER_SECOND, Memory
from dalston_faster_whisper.guard import (
    MAX_COMPRESSION_RATIO,
    MIN_AVG_LOGPROB,
    TOKENS_PER_SECOND,
    Decoded,
    compression_ratio,
    token_cap,
)
from dalston_faster_whisper.request import Request

_FALLBACK_STEP = 0.2
_SAMPLES = 5
"""Texts that are sampled at a temperature; the likeliest is taken."""


@dataclass
class Decoder:
    """Decodes for one request. `tokens_per_second` grows when a script turns out to need more."""

    model: WhisperModel
    tokenizer: Tokenizer
    request: Request
    tokens_per_second: float = TOKENS_PER_SECOND
    _prompt: list[int] = field(init=False)
    _suppressed: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        prompt = self.request.prompt
        self._prompt = self.model.get_prompt(
            self.tokenizer,
            self.tokenizer.encode(" " + prompt.strip()) if prompt else [],
            without_timestamps=True,
            hotwords=self.request.hotwords,
        )
        self._suppressed = get_suppressed_tokens(self.tokenizer, [-1])

    def decode(self, memory: Memory) -> list[Decoded]:
        """Decode a batch at the request's temperature, with a cap on the tokens."""
        cap = token_cap(max(memory.frames) / FRAMES_PER_SECOND, self.tokens_per_second)
        return self._generate(memory, temperature=self.request.temperature, cap=cap)

    def decode_patiently(self, memory: Memory) -> Decoded:
        """Decode one window without a cap, at rising temperatures until the text is sound.

        When none is, the likeliest of those that do not repeat themselves is taken.
        """
        tried: list[Decoded] = []
        temperature = self.request.temperature
        while temperature <= 1.0 or not tried:
            found = self._generate(memory, temperature=temperature, cap=None)[0]
            if _sound(found) or found.silent:
                self._allow(found, memory)
                return found
            tried.append(found)
            temperature = round(temperature + _FALLBACK_STEP, 2)
        calm = [each for each in tried if compression_ratio(each.text) <= MAX_COMPRESSION_RATIO]
        return max(calm or tried, key=lambda each: each.avg_logprob)

    def _allow(self, found: Decoded, memory: Memory) -> None:
        seconds = max(1.0, memory.frames[0] / FRAMES_PER_SECOND)
        self.tokens_per_second = max(self.tokens_per_second, 1.3 * len(found.tokens) / seconds)

    def _generate(self, memory: Memory, *, temperature: float, cap: int | None) -> list[Decoded]:
        longest = self.model.max_length
        limit = longest if cap is None else min(longest, len(self._prompt) + cap)
        how: dict[str, Any] = {"beam_size": self.request.beam_size}
        if temperature > 0:
            how = {
                "beam_size": 1,
                "num_hypotheses": _SAMPLES,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
        results = self.model.model.generate(
            memory.states,
            [self._prompt] * len(memory.frames),
            max_length=limit,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=self._suppressed,
            **how,
        )
        room = limit - len(self._prompt)
        return [self._decoded(result, room, temperature) for result in results]

    def _decoded(self, result: Any, room: int, temperature: float) -> Decoded:
        tokens = tuple(token for token in result.sequences_ids[0] if token < self.tokenizer.eot)
        count = len(result.sequences_ids[0])
        return Decoded(
            tokens=tokens,
            text=self.tokenizer.decode(list(tokens)),
            avg_logprob=result.scores[0] * count / (count + 1),
            no_speech_prob=result.no_speech_prob,
            finished=count < room,
            temperature=temperature,
        )


def _sound(found: Decoded) -> bool:
    return (
        found.finished
        and found.avg_logprob >= MIN_AVG_LOGPROB
        and compression_ratio(found.text) <= MAX_COMPRESSION_RATIO
    )


def language_probabilities(
    model: WhisperModel, memory: Memory, weights: Sequence[float]
) -> dict[str, float]:
    """Give the probability of each language in the windows together, weighted."""
    shares: dict[str, float] = {}
    for row, weight in zip(model.model.detect_language(memory.states), weights, strict=True):
        for token, probability in row:
            code = token[2:-2]
            shares[code] = shares.get(code, 0.0) + weight * probability
    total = sum(weights)
    return {code: share / total for code, share in shares.items()}

"""The engine faster-whisper with real weights: the text, its times, and what it refuses."""

import math
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from dalston_faster_whisper.request import Request
from dalston_faster_whisper.transcriber import Transcriber
from faster_whisper import WhisperModel

from dalston.engine_sdk import (
    Engine,
    EngineContext,
    EngineModel,
    ModelResolver,
    OptionError,
    Part,
    PrepareResult,
    Stage,
    Task,
    TaskCancelled,
    TaskKind,
    Timestamps,
    Track,
    TranscribeResult,
    TranscriptionOptions,
    float_to_pcm,
    open_decoder,
    pcm_to_float,
    write_wav,
)
from dalston.engine_sdk.loading import load_engine_class
from tests import recordings, speech
from tests.engines.conftest import ENGINES
from tests.engines.folder_task import folder_task

pytestmark = pytest.mark.model

RATE = 16_000


def samples_of(path: Path) -> np.ndarray:
    with open_decoder(path) as decoder:
        return pcm_to_float(np.concatenate([block[0] for block in decoder.blocks()]))


def plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def loaded_engine(models: Path, name: str, **parameters: Any) -> Engine:
    resolver = ModelResolver((EngineModel(name=name),), models)
    engine = load_engine_class(ENGINES / "transcribe" / "faster-whisper")(
        EngineContext(
            name="faster-whisper",
            parameters={"computeType": "int8", **parameters},
            models=resolver,
            threads=2,
        )
    )
    engine.load()
    return engine


@pytest.fixture(scope="module")
def engine(tiny_en: Path) -> Engine:
    return loaded_engine(tiny_en.parent, tiny_en.name)


@pytest.fixture(scope="module")
def multilingual(whisper_base: Path) -> Engine:
    return loaded_engine(whisper_base.parent, whisper_base.name)


def task_for(folder: Path, samples: np.ndarray, **options: Any) -> Task:
    (folder / "prepare").mkdir()
    write_wav(folder / "prepare" / "audio.wav", float_to_pcm(samples))
    duration = len(samples) / RATE
    prepared = PrepareResult(
        duration=duration,
        channels=1,
        sample_rate=RATE,
        container="wav",
        codec="pcm_s16le",
        tracks=(Track(index=0, audio="audio.wav", duration=duration),),
        parts=(Part(index=0, track=0, start=0.0, end=duration),),
    )
    return folder_task(
        folder,
        Stage.TRANSCRIBE,
        options=TranscriptionOptions(**options),
        results={Stage.PREPARE: [prepared]},
    )


def transcribe(
    engine: Engine, folder: Path, samples: np.ndarray, **options: Any
) -> TranscribeResult:
    found = engine.process(task_for(folder, samples, **options))
    assert isinstance(found, TranscribeResult)
    return found


def text_of(found: TranscribeResult) -> str:
    return " ".join(segment.text for segment in found.segments)


@pytest.fixture(scope="module")
def address(jfk: speech.Sample) -> np.ndarray:
    return samples_of(jfk.path)


def test_text_is_what_is_said(
    engine: Engine, tmp_path: Path, address: np.ndarray, jfk: speech.Sample
) -> None:
    found = transcribe(engine, tmp_path, address)
    assert plain(text_of(found)) == plain(jfk.text)
    assert (found.language, found.language_probability) == ("en", None)


def test_words_have_times_in_order_and_probabilities(
    engine: Engine, tmp_path: Path, address: np.ndarray
) -> None:
    found = transcribe(engine, tmp_path, address)
    words = [word for segment in found.segments for word in segment.words]
    times = [time for word in words for time in (word.start, word.end)]
    assert len(words) == 22
    assert times == sorted(times)
    assert all(-20 < word.logprob <= 0 for word in words if word.logprob is not None)
    # "ask" follows a pause, in which it does not begin.
    assert words[5].text == "ask"
    assert words[5].start > 3.0


def test_words_are_left_out_where_segment_times_do(
    engine: Engine, tmp_path: Path, address: np.ndarray
) -> None:
    found = transcribe(engine, tmp_path, address, timestamps=Timestamps.SEGMENT)
    assert found.segments
    assert not any(segment.words for segment in found.segments)


def test_silence_has_no_text(engine: Engine, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 1e-4, 20 * RATE).astype(np.float32)
    assert transcribe(engine, tmp_path, noise).segments == ()


def test_language_is_detected_with_its_probability(multilingual: Engine, tmp_path: Path) -> None:
    clip = speech.samples()["es-pangrama"]
    found = transcribe(multilingual, tmp_path, samples_of(clip.path))
    assert found.language == "es"
    assert 0.5 < (found.language_probability or math.nan) <= 1.0


def test_given_language_has_no_probability(multilingual: Engine, tmp_path: Path) -> None:
    clip = speech.samples()["pt-contagem"]
    found = transcribe(multilingual, tmp_path, samples_of(clip.path), language="por")
    assert (found.language, found.language_probability) == ("pt", None)


def test_translation_is_english(multilingual: Engine, tmp_path: Path) -> None:
    clip = speech.samples()["fr-pangrama"]
    found = transcribe(
        multilingual, tmp_path, samples_of(clip.path), language="fr", task=TaskKind.TRANSLATE
    )
    assert "whiskey" in plain(text_of(found))


def test_unknown_language_is_refused(engine: Engine, tmp_path: Path, address: np.ndarray) -> None:
    with pytest.raises(OptionError, match="does not know language 'de'"):
        transcribe(engine, tmp_path, address, language="de")


def test_vocabulary_decides_the_spelling(engine: Engine, tmp_path: Path) -> None:
    samples = samples_of(speech.samples()["librivox-0870"].path)
    found = transcribe(engine, tmp_path, samples, vocabulary=["Jon Dashwoode", "JetStream"])
    assert "Jon Dashwoode" in text_of(found)
    assert "JetStream" not in text_of(found)


def test_sequential_mode_finds_the_same_words(
    tiny_en: Path, tmp_path: Path, address: np.ndarray, jfk: speech.Sample
) -> None:
    engine = loaded_engine(tiny_en.parent, tiny_en.name, mode="sequential")
    assert plain(text_of(transcribe(engine, tmp_path, address))) == plain(jfk.text)


def test_seed_is_said_to_have_no_effect(
    engine: Engine, tmp_path: Path, address: np.ndarray
) -> None:
    found = transcribe(engine, tmp_path, address, seed=7)
    assert any("seed" in warning for warning in found.warnings)


def test_cancelled_task_stops(engine: Engine, tmp_path: Path, address: np.ndarray) -> None:
    task = task_for(tmp_path, np.tile(address, 12))
    task._on_progress = lambda done, total: task.cancelled.set()
    with pytest.raises(TaskCancelled):
        engine.process(task)


@pytest.fixture(scope="module")
def transcriber(tiny_en: Path) -> Transcriber:
    model = WhisperModel(
        str(tiny_en), device="cpu", compute_type="int8", cpu_threads=1, num_workers=2
    )
    return Transcriber(model, parallel=2)


def test_short_clips_do_not_loop(transcriber: Transcriber) -> None:
    clips = [clip for clip in speech.samples().values() if clip.language == "en"]
    heard = [transcriber.transcribe(samples_of(clip.path), Request()).text for clip in clips]
    said = [plain(clip.text) for clip in clips]
    assert jiwer.wer(said, [plain(text) or "_" for text in heard]) < 0.25


def test_long_recording_loses_no_sentence_and_reports_progress(transcriber: Transcriber) -> None:
    recording = recordings.long_recording(90)
    done: list[tuple[float, float]] = []
    found = transcriber.transcribe(
        samples_of(recording.path),
        Request(),
        on_progress=lambda at, total: done.append((at, total)),
    )
    assert jiwer.wer(plain(recording.text), plain(found.text)) < 0.2
    assert done == sorted(done)
    assert done[-1][0] == pytest.approx(done[-1][1])
    for turn in recording.turns:
        assert any(s.start < turn.end and s.end > turn.start for s in found.segments), turn

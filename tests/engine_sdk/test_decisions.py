"""The decisions of a worker, which do no I/O: claims, errors, summaries, parameters."""

import pytest

from dalston.artifacts import StoreFull, StoreUnavailable
from dalston.audio import UndecodableAudio
from dalston.bus import Claim
from dalston.engine_sdk import (
    InputError,
    MergeResult,
    ModelMissing,
    OptionError,
    Segment,
    Speaker,
    Transcript,
    Word,
)
from dalston.engine_sdk.outcomes import (
    Stop,
    describe_error,
    exit_code_of,
    judge_claim,
    summarize,
)
from dalston.engine_sdk.parameters import violations
from dalston.engine_sdk.settings import WorkerSettings, choose_device
from dalston.fetch import TooLarge, UrlRefused, UrlUnreachable

HELD = Claim(attempt=1, owner="a", revision=7)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (HELD, None),
        (None, Stop.GONE),
        (Claim(2, "b", 9), Stop.GONE),
        (Claim(1, "b", 9), Stop.TAKEN_OVER),
        (Claim(1, "a", 9), Stop.TAKEN_OVER),
    ],
)
def test_claim_in_force_decides(found: Claim | None, expected: Stop | None) -> None:
    assert judge_claim(HELD, found) == expected


@pytest.mark.parametrize(
    ("error", "kind", "code", "status"),
    [
        (InputError("NoSpeech", "m"), "input", "NoSpeech", 42),
        (OptionError("BadOption", "m"), "input", "BadOption", 43),
        (UndecodableAudio("m"), "input", "UndecodableAudio", 42),
        (UrlRefused("m"), "input", "UrlRefused", 42),
        (TooLarge("m"), "input", "TooLarge", 42),
        (UrlUnreachable("m", transient=False), "input", "UrlUnreachable", 42),
        (UrlUnreachable("m", transient=True), "infrastructure", "UrlUnreachable", 1),
        (StoreFull("m"), "infrastructure", "StoreFull", 1),
        (StoreUnavailable("m"), "infrastructure", "StoreUnavailable", 1),
        (ModelMissing("m"), "infrastructure", "ModelMissing", 1),
        (KeyError("m"), "infrastructure", "EngineFailed", 1),
    ],
)
def test_error_has_a_fault_a_code_and_a_status(
    error: Exception, kind: str, code: str, status: int
) -> None:
    described = describe_error(error)
    assert (described.kind, described.code, exit_code_of(error)) == (kind, code, status)
    assert "m" in described.message


def test_long_message_is_cut() -> None:
    assert len(describe_error(RuntimeError("x" * 10_000)).message) <= 2000


def test_summary_of_a_transcript_names_its_artifact() -> None:
    words = (Word(text="hello"), Word(text="there"))
    transcript = Transcript(
        duration=3.0, language="en", text="hello there",
        segments=(Segment(text="hello there", words=words),), speakers=(Speaker(id="speaker_0"),),
    )  # fmt: skip
    summary = summarize(MergeResult(transcript=transcript), folder="jobs/1/merge/0/0/5")
    assert summary.transcript == "jobs/1/merge/0/0/5/transcript.json"
    assert (summary.words, summary.speakers, summary.language) == (2, 1, "en")


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["beam"],
    "properties": {
        "beam": {"type": "integer", "minimum": 1, "maximum": 10},
        "mode": {"enum": ["fast", "best"]},
        "names": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "scale": {"type": ["number", "null"]},
    },
}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"beam": 5, "mode": "fast", "names": ["a"], "scale": None}, []),
        ({}, ["values.beam is missing"]),
        ({"beam": True}, ["values.beam must be integer, not True"]),
        ({"beam": 11}, ["values.beam must be at most 10"]),
        ({"beam": 0}, ["values.beam must be at least 1"]),
        ({"beam": 1, "mode": "slow"}, ["values.mode must be one of ['fast', 'best'], not 'slow'"]),
        ({"beam": 1, "names": ["B"]}, ["values.names[0] must match ^[a-z]+$"]),
        ({"beam": 1, "size": 1}, ["values.size is not in the schema"]),
    ],
)
def test_parameters_are_held_against_their_schema(values: object, wrong: list[str]) -> None:
    assert list(violations(values, SCHEMA)) == wrong


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DALSTON_WORKER_ENGINE", "tiny")
    monkeypatch.setenv("DALSTON_WORKER_LANES", "high, job-1")
    monkeypatch.setenv("DALSTON_WORKER_MODELS", '[{"name": "base", "default": true}]')
    monkeypatch.setenv("DALSTON_WORKER_PARAMETERS", '{"beam": 5}')
    monkeypatch.setenv("DALSTON_WORKER_KEEP", "true")
    settings = WorkerSettings()
    assert (settings.lanes, settings.parameters, settings.keep) == (
        ["high", "job-1"],
        {"beam": 5},
        True,
    )
    assert settings.models[0].default
    assert settings.max_tasks is None


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_hidden_accelerator_is_not_used(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert choose_device("auto") == "cpu"
    assert choose_device("cuda") == "cuda"

"""The native form and JSON body."""

from typing import Any

import pytest
from dalston_gateway.native.fields import NewTranscription, job_spec, read_fields, read_json
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.responses import InvalidFields
from dalston_gateway.uploads import Upload

UPLOAD = Upload("uploads/a/source", 4, "a.wav")


def form(**fields: str | list[str]) -> NewTranscription:
    return read_fields(
        {name.replace("__", "."): [value] if isinstance(value, str) else value
         for name, value in fields.items()}
    )  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"speakers__mode": "diarize", "speakers__max": "3"},
        {"speakers": '{"mode": "diarize", "max": 3}'},
        {"speakers": "diarize", "speakers__max": "3"},
    ],
    ids=["dots", "JSON", "short"],
)
def test_form_reads_nested_fields(fields: dict[str, str]) -> None:
    speakers = form(**fields).speakers
    assert (speakers.mode, speakers.max) == ("diarize", 3)


@pytest.mark.parametrize("given", ['["one", "two"]', ["one", "two"]], ids=["JSON", "repeated"])
def test_form_reads_lists(given: str | list[str]) -> None:
    assert form(vocabulary=given).vocabulary == ["one", "two"]


def test_form_and_json_mean_the_same() -> None:
    body = b"""{"url": "https://example.org/a", "language": "de", "vocabulary": ["x"],
        "detect": {"entities": ["name"], "redaction": {"entities": ["pii"]}},
        "ttl_seconds_after_finished": 60, "execution": {"mode": "Dedicated"}}"""
    same = form(
        url="https://example.org/a",
        language="de",
        vocabulary="x",
        detect__entities="name",
        detect__redaction__entities="pii",
        ttl_seconds_after_finished="60",
        execution__mode="Dedicated",
    )
    assert read_json(body) == same


@pytest.mark.parametrize(
    "fields",
    [
        {"unknown": "1"},
        {"model": "whisper-1"},
        {"timestamps": "sentence"},
        {"speakers__max": "0"},
        {"temperature": "9"},
        {"url": "ftp://a"},
        {"priority": "urgent"},
        {"vocabulary": "x" * 101},
        {"language": "ENGLISH"},
        {"active_deadline_seconds": "0"},
    ],
)
def test_form_refuses_what_is_not_valid(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidFields):
        form(**fields)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}x"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises((GatewayProblem, InvalidFields)):
        read_json(body)


def spec_of(wanted: NewTranscription, **more: Any) -> Any:
    return job_spec(wanted, **{"upload": UPLOAD, "choice": None, "retention": None, **more})


def test_spec_needs_exactly_one_source() -> None:
    with pytest.raises(GatewayProblem) as caught:
        spec_of(form(), upload=None)
    assert caught.value.fault == Fault.MISSING_FIELD
    with pytest.raises(GatewayProblem) as caught:
        spec_of(form(url="https://example.org/a"))
    assert caught.value.fault == Fault.INVALID_FIELD


def test_spec_keeps_options_and_normalises_the_language() -> None:
    spec = spec_of(form(language="deu", prompt="Hallo", priority="high", suspend="true"))
    assert (spec.language, spec.prompt, spec.priority, spec.suspend) == (
        "de",
        "Hallo",
        "high",
        True,
    )
    assert (spec.source.artifact, spec.source.file_name) == (UPLOAD.key, "a.wav")


def test_spec_is_kept_as_long_as_asked_or_as_configured() -> None:
    assert spec_of(form(), retention=5).ttl_seconds_after_finished == 5
    wanted = form(ttl_seconds_after_finished="9")
    assert spec_of(wanted, retention=5).ttl_seconds_after_finished == 9


def test_language_that_is_none_is_refused() -> None:
    with pytest.raises(GatewayProblem) as caught:
        spec_of(form(language="xx"))
    assert caught.value.fault == Fault.UNKNOWN_LANGUAGE

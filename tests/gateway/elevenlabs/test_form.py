"""The form as both official SDKs write it (contract, section 3.3)."""

from typing import Any

import pytest
from dalston_gateway.elevenlabs.form import Granularity, SpeechToTextForm, read_form
from dalston_gateway.responses import InvalidFields


def form(**fields: str | list[str]) -> SpeechToTextForm:
    given = {name: value if isinstance(value, list) else [value] for name, value in fields.items()}
    return read_form({"model_id": ["scribe_v1"], **given})


def errors(**fields: str | list[str]) -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(InvalidFields) as caught:
        form(**fields)
    return [(tuple(each["loc"]), each["type"]) for each in caught.value.errors()]


def test_form_has_the_documented_defaults() -> None:
    read = form()
    assert read.timestamps_granularity == Granularity.WORD
    assert read.tag_audio_events is None
    assert (read.diarize, read.use_multi_channel, read.webhook) == (False, False, False)


def test_form_reads_numbers_and_booleans() -> None:
    read = form(diarize="true", num_speakers="2", temperature="0.0", seed="0", no_verbatim="false")
    assert (read.diarize, read.num_speakers, read.temperature) == (True, 2, 0.0)
    assert (read.seed, read.no_verbatim) == (0, False)


@pytest.mark.parametrize("name", ["webhook_metadata", "entity_detection", "entity_redaction"])
def test_form_reads_null_as_absent(name: str) -> None:
    assert form(**{name: "null"}) == form()


@pytest.mark.parametrize(
    "given", ["all", '"all"', '["all"]', ["all"]], ids=["raw", "quoted", "array", "part"]
)
def test_form_reads_entities_of_both_sdks(given: str | list[str]) -> None:
    assert form(entity_detection=given).entity_detection == ("all",)


def test_form_joins_repeated_parts() -> None:
    assert form(entity_redaction=["pii", "phi"]).entity_redaction == ("pii", "phi")
    assert form(entity_redaction='["pii", "name"]').entity_redaction == ("pii", "name")
    assert form(keyterms=["Dalston", "Kingsland Road"]).keyterms == ("Dalston", "Kingsland Road")
    assert form(secondary_language_codes=["de", "fr"]).secondary_language_codes == ("de", "fr")


@pytest.mark.parametrize("given", ['{"a": {"b": 1}}', '"{\\"a\\": {\\"b\\": 1}}"'])
def test_form_reads_metadata_that_is_encoded_once_or_twice(given: str) -> None:
    assert form(webhook_metadata=given).webhook_metadata == {"a": {"b": 1}}


@pytest.mark.parametrize(
    "given",
    [
        '[{"format": "srt", "max_characters_per_line": 30, "include_speakers": true}]',
        '[{"format": "srt", "maxCharactersPerLine": 30, "includeSpeakers": true}]',
    ],
    ids=["Python", "JavaScript"],
)
def test_form_reads_formats_of_both_sdks(given: str) -> None:
    (item,) = form(additional_formats=given).additional_formats
    assert (item.format, item.max_characters_per_line, item.include_speakers) == ("srt", 30, True)


def test_form_ignores_unknown_fields() -> None:
    assert form(unheard_of="1") == form()


def test_form_takes_the_last_of_repeated_values() -> None:
    assert form(num_speakers=["2", "3"]).num_speakers == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_speakers", "0"),
        ("num_speakers", "33"),
        ("num_speakers", "two"),
        ("diarization_threshold", "0.05"),
        ("diarization_threshold", "0.5"),
        ("temperature", "-0.1"),
        ("temperature", "2.1"),
        ("temperature", "nan"),
        ("seed", "-1"),
        ("seed", "2147483648"),
        ("timestamps_granularity", "sentence"),
        ("file_format", "wav"),
        ("multichannel_output_style", "stereo"),
        ("numbers_format", "roman"),
        ("entity_redaction_mode", "hash"),
        ("diarize", "perhaps"),
        ("additional_formats", "no json"),
        ("additional_formats", '[{"format": "vtt"}]'),
        ("additional_formats", '[{"format": "srt", "max_segment_chars": 0}]'),
        ("additional_formats", "[" + ",".join(['{"format": "txt"}'] * 11) + "]"),
        ("transcript_edit", "x" * 2001),
        ("webhook_metadata", "[1]"),
        ("webhook_metadata", '{"a": {"b": {"c": 1}}}'),
        ("webhook_metadata", '{"a": "' + "x" * 16384 + '"}'),
    ],
)
def test_form_refuses_what_breaks_its_bounds(name: str, value: str) -> None:
    assert [loc[:2] for loc, _ in errors(**{name: value})] == [("body", name)]


@pytest.mark.parametrize(
    "terms",
    [["x" * 51], ["one two three four five six"], ["<b>"], ["a\\b"], ["x"] * 1001],
)
def test_form_refuses_key_terms_that_break_their_rules(terms: list[str]) -> None:
    assert {loc[1] for loc, _ in errors(keyterms=terms)} == {"keyterms"}


def test_form_without_a_model_says_what_a_retrying_client_lost() -> None:
    with pytest.raises(InvalidFields) as caught:
        read_form({})
    (error,) = caught.value.errors()
    assert (error["type"], error["loc"]) == ("missing", ("body", "model_id"))
    assert "max_retries=0" in error["msg"]

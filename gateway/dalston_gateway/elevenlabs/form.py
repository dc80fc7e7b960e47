"""The form of POST /v1/speech-to-text, as the official SDKs of Python and JavaScript write it.

The two write lists, nulls and JSON differently (contract, section 3.3), so three fields are read as JSON
first and as text else, repeated parts are joined, and nested keys may be snake or camel case.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_snake
from pydantic_core import PydanticCustomError

from dalston.resources.transcription_options import RedactionMode
from dalston.transcripts.formats import FormatOptions
from dalston_gateway.responses import InvalidFields

_JSON_FIELDS = frozenset({"webhook_metadata", "entity_detection", "entity_redaction"})
_LIST_FIELDS = frozenset(
    {"keyterms", "secondary_language_codes", "entity_detection", "entity_redaction"}
)
_METADATA_BYTES = 16 * 1024
_METADATA_DEPTH = 2
_FORBIDDEN_IN_TERMS = re.compile(r"[<>{}\[\]\\]")
_WORDS_IN_TERM = 5
_RETRY_HINT = (
    " (an automatic retry of the Python SDK sends the file without the other fields: "
    "construct the request with max_retries=0 to see the first error)"
)


class Granularity(StrEnum):
    """The finest times in the answer."""

    NONE = "none"
    WORD = "word"
    CHARACTER = "character"


class ChannelStyle(StrEnum):
    """How the channels of a recording are answered."""

    SEPARATE = "separate"
    COMBINED = "combined"


class FormatRequest(FormatOptions):
    """One item of additional_formats."""

    format: Literal["docx", "html", "pdf", "segmented_json", "srt", "txt"]


def _check_term(term: str) -> str:
    if _FORBIDDEN_IN_TERMS.search(term):
        raise PydanticCustomError(
            "keyterm_characters", "A key term must not contain < > {{ }} [ ] \\"
        )
    if len(term.split()) > _WORDS_IN_TERM:
        raise PydanticCustomError("keyterm_words", "A key term has at most 5 words")
    return term


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(each) for each in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(each) for each in value), default=0)
    return 0


def _check_metadata(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("metadata_object", "Must be a JSON object")
    if len(orjson.dumps(value)) > _METADATA_BYTES:
        raise PydanticCustomError("metadata_size", "Must not exceed 16 KB")
    if _depth(value) > _METADATA_DEPTH:
        raise PydanticCustomError("metadata_depth", "Must not be nested deeper than 2 levels")
    return value


def _read_formats(value: Any) -> Any:
    """Read the JSON array; keys of the JavaScript SDK are camel case."""
    if not isinstance(value, str):
        return value
    try:
        items = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise PydanticCustomError("json_invalid", "Must be a JSON array") from error
    items = items if isinstance(items, list) else [items]
    return [
        {to_snake(key): given for key, given in item.items()} if isinstance(item, dict) else item
        for item in items
    ]


KeyTerm = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_check_term)]
EntityName = Annotated[str, Field(min_length=1, max_length=64)]


class SpeechToTextForm(BaseModel):
    """The fields of the form (contract, section 3.2); unknown ones are ignored, as they are there."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    model_id: str = Field(min_length=1, max_length=320)
    cloud_storage_url: str | None = Field(default=None, max_length=4096)
    source_url: str | None = Field(default=None, max_length=4096)
    language_code: str | None = Field(default=None, max_length=64)
    secondary_language_codes: tuple[str, ...] = Field(default=(), max_length=32)
    numbers_format: Literal["digits", "words"] | None = None
    transcript_edit: str | None = Field(default=None, max_length=2000)
    tag_audio_events: bool | None = None
    num_speakers: int | None = Field(default=None, ge=1, le=32)
    timestamps_granularity: Granularity = Granularity.WORD
    diarize: bool = False
    diarization_threshold: float | None = Field(default=None, ge=0.1, le=0.4)
    additional_formats: Annotated[
        tuple[FormatRequest, ...], BeforeValidator(_read_formats), Field(max_length=10)
    ] = ()
    file_format: Literal["pcm_s16le_16", "other"] = "other"
    webhook: bool = False
    webhook_id: str | None = Field(default=None, max_length=256)
    webhook_metadata: Annotated[dict[str, Any], BeforeValidator(_check_metadata)] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = Field(default=None, ge=0, le=2147483647)
    use_multi_channel: bool = False
    multichannel_output_style: ChannelStyle = ChannelStyle.SEPARATE
    entity_detection: tuple[EntityName, ...] = Field(default=(), max_length=100)
    entity_redaction: tuple[EntityName, ...] = Field(default=(), max_length=100)
    entity_redaction_mode: RedactionMode = RedactionMode.ENUMERATED_ENTITY_TYPE
    no_verbatim: bool = False
    use_speaker_library: bool = False
    detect_speaker_roles: bool = False
    keyterms: tuple[KeyTerm, ...] = Field(default=(), max_length=1000)


def read_form(fields: Mapping[str, Sequence[str]]) -> SpeechToTextForm:
    """Read the form's fields; raises InvalidFields."""
    given = {}
    for name, values in fields.items():
        value = _value(name, values)
        if value is not None:
            given[name] = value
    try:
        return SpeechToTextForm.model_validate(given)
    except ValidationError as error:
        raise InvalidFields([_hinted(each) for each in InvalidFields.of(error).errors()]) from error


def _hinted(error: Mapping[str, Any]) -> Mapping[str, Any]:
    if error["type"] == "missing" and error["loc"][-1] == "model_id":
        return {**error, "msg": error["msg"] + _RETRY_HINT, "input": None}
    return error


def _value(name: str, values: Sequence[str]) -> Any:
    """Give a field's value, None when it is absent; of repeated parts the last counts, in lists all."""
    if name in _LIST_FIELDS:
        listed = [each for value in values for each in _items(value)]
        return listed or None
    if name in _JSON_FIELDS:
        return _json_or_text(values[-1], twice=True)
    return values[-1] or None


def _items(value: str) -> list[Any]:
    parsed = _json_or_text(value) if value[:1] in '"[n' else value
    if parsed is None or parsed == "":
        return []
    return parsed if isinstance(parsed, list) else [parsed]


def _json_or_text(value: str, *, twice: bool = False) -> Any:
    """Read JSON, or give the text itself; a string that holds JSON again is read `twice`."""
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value or None
    if twice and isinstance(parsed, str):
        return _json_or_text(parsed)
    return parsed
